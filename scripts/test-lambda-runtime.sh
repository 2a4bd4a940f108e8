#!/usr/bin/env bash
# Builds AWS's runtime interface client for Node and runs the functions inside it (test/aws/runtime-interface.ts).
#
# The client is no dependency of the project: it comes into a folder of the user's cache, with its native part built there
# by its own scripts, which need autotools, cmake and a C++ compiler (installed with apt-get where they are missing; needs
# root or sudo then). Exit code 69, said aloud, where it cannot be built.
set -euo pipefail
cd "$(dirname "$0")/.."

version=4.0.2
folder="${XDG_CACHE_HOME:-$HOME/.cache}/sortie/lambda-runtime/$version-$(uname -m)"
client="$folder/node_modules/aws-lambda-ric"

unavailable() {
  echo "test-lambda-runtime: $*; the functions were NOT run in AWS's runtime interface client" >&2
  exit 69
}

if [ ! -f "$client/rapid-client.node" ]; then
  missing=()
  for tool in autoconf automake libtoolize cmake g++ make xz; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    echo "test-lambda-runtime: installing ${missing[*]}"
    as_root=""
    [ "$(id -u)" = 0 ] || as_root=sudo
    { $as_root apt-get update -qq && $as_root apt-get install -y -qq autoconf automake libtool cmake g++ make xz-utils; } \
      >/dev/null || unavailable "the tools to build it cannot be installed"
  fi
  mkdir -p "$(dirname "$folder")"
  building=$(mktemp -d "$folder.XXXXXX")
  trap 'rm -rf "$building"' EXIT
  echo "test-lambda-runtime: building aws-lambda-ric $version"
  {
    npm install --prefix "$building" --no-save --ignore-scripts "aws-lambda-ric@$version" &&
      cd "$building/node_modules/aws-lambda-ric" && ./scripts/preinstall.sh && ./scripts/postinstall.sh && cd -
  } >"$building/log" 2>&1 || { tail -n 20 "$building/log" >&2; unavailable "it cannot be built"; }
  rm -rf "$folder"
  mv "$building" "$folder"
fi

node packages/cli/bin/launch.js test/aws/runtime-interface.ts "$client/index.mjs"
