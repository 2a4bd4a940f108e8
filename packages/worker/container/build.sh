#!/bin/sh
# Builds what the worker's image holds beside Debian: Node, and the worker with what it needs to run and no more.
# Needs the packages of build-packages.txt.
#
# Usage: build.sh SOURCE TARGET    SOURCE is a copy of the repository that may be written to; TARGET becomes
#                                  usr/local/bin/node and opt/sortie, to be copied to the root of the image
set -eu

source=$(cd "$1" && pwd)
mkdir -p "$2"
target=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

npm_quiet() { npm "$@" --ignore-scripts --no-audit --no-fund --loglevel=error; }

# Node 24, which Debian does not have yet, from the package registry: its version and digests are in the lock file there.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/node/package.json "$here"/node/package-lock.json "$work"
(cd "$work" && npm_quiet ci)
mkdir -p "$target/usr/local/bin"
cp "$work"/node_modules/node-linux-*/bin/node "$target/usr/local/bin/node"

cd "$source"
npm_quiet ci
"$target/usr/local/bin/node" --conditions=sortie-source --disable-warning=ExperimentalWarning \
  scripts/build.ts @sortie/worker

# Again without what only building needs, and without the packages that no worker uses.
npm_quiet ci --omit=dev --workspace=@sortie/worker --include-workspace-root=false
mkdir -p "$target/opt/sortie/packages"
cp -R node_modules "$target/opt/sortie/node_modules"
rm -rf "$target/opt/sortie/node_modules/.package-lock.json" "$target/opt/sortie/node_modules/.bin"
for link in node_modules/@sortie/*; do
  name=$(basename "$(readlink -f "$link")")
  mkdir "$target/opt/sortie/packages/$name"
  cp -R "packages/$name/package.json" "packages/$name/dist" "packages/$name/LICENSE" "$target/opt/sortie/packages/$name"
done
