#!/usr/bin/env bash
# The client in a real browser: headless Chromium, installed from Debian's packages where there is none. Exit code 69: there
# is none and none can be had here.
set -euo pipefail
cd "$(dirname "$0")/.."

has_chromium() {
  [ -n "${SORTIE_CHROMIUM:-}" ] && return 0
  for name in chromium-headless-shell chromium chromium-browser google-chrome chrome; do
    command -v "$name" >/dev/null && return 0
  done
  return 1
}

if ! has_chromium; then
  as_root=""
  [ "$(id -u)" = 0 ] || as_root=sudo
  command -v apt-get >/dev/null || { echo "there is no Chromium here, and no apt-get to install one"; exit 69; }
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium-headless-shell >/dev/null ||
    $as_root apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
exec node packages/cli/bin/launch.js node_modules/vitest/vitest.mjs run --project browser "$@"
