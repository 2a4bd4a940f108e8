#!/usr/bin/env bash
# `npm run check:container`: proves that the worker's image builds and works, without Docker.
#
# Runs the Dockerfile's own scripts (packages/worker/container) on Debian roots made by debootstrap, and then real jobs in
# what comes of them: in a chroot, read-only, as the image's user, with process ids of their own and nothing but loopback
# (test/container/check.ts). Needs root or sudo, Debian's tools, and the network while it builds. Exit code 69 where it
# cannot run.
set -euo pipefail
cd "$(dirname "$0")/.."

unavailable() {
  echo "check:container cannot run here: $*" >&2
  exit 69
}

[ "$(uname -s)" = Linux ] || unavailable "a chroot with namespaces needs Linux"
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || unavailable "a chroot needs root, and sudo does not work here"
  exec sudo --preserve-env=PATH,HOME,XDG_CACHE_HOME,TMPDIR,NODE_EXTRA_CA_CERTS,SORTIE_DEBIAN_MIRROR,http_proxy,https_proxy "$0" "$@"
fi
# The whole program runs in a mount namespace of its own, so that no mount outlives it.
if [ "${SORTIE_CHECK_CONTAINER_NAMESPACE:-}" != 1 ]; then
  SORTIE_CHECK_CONTAINER_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"
fi
export PATH="$PATH:/usr/sbin:/sbin"

work=$(mktemp -d)
leave() {
  grep -o " $work/[^ ]*" /proc/self/mounts | sort -r | while read -r mounted; do umount -l "$mounted"; done
  rm -rf --one-file-system "$work"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

command -v ip >/dev/null || {
  { apt-get update -qq && apt-get install -y -qq iproute2; } >"$work/log" 2>&1 || unavailable "there is no ip (iproute2)"
}

# quiet COMMAND...: what it prints is shown only if it fails.
quiet() {
  "$@" >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    exit 1
  }
}

# open_root DIR [PACKAGE...]: a Debian root with these packages, in which more can be installed.
open_root() {
  scripts/debian-root.sh "$1" trixie "${@:2}"
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
  cp -L /etc/resolv.conf "$1/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
  chmod 755 "$1/usr/sbin/policy-rc.d"
  mkdir "$1/container"
}

echo "=== the build stage"
build=$work/build
# From the list alone, which is quick the second time: install.sh is run for the image.
mapfile -t packages < <(sed 's/#.*//' packages/worker/container/build-packages.txt | grep .)
open_root "$build" "${packages[@]}"
mkdir "$build/source"
# The files that the Dockerfile copies, without what git does not know.
sed -n 's/^!//p' .dockerignore | xargs git ls-files -z --cached --others --exclude-standard -- |
  while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
  tar --null -T - -c | tar -x -C "$build/source"
# Downloads are kept for the next run; this machine's registry and certificates are its own business.
npm_cache="${XDG_CACHE_HOME:-$HOME/.cache}/sortie/container-npm"
mkdir -p "$npm_cache" "$build/root/.npm"
mount --bind "$npm_cache" "$build/root/.npm"
environment=(PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root "npm_config_registry=$(npm config get registry 2>/dev/null)")
if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
  touch "$build/container/ca.crt"
  mount --bind "$NODE_EXTRA_CA_CERTS" "$build/container/ca.crt"
  environment+=(NODE_EXTRA_CA_CERTS=/container/ca.crt)
fi
quiet env -i "${environment[@]}" chroot "$build" /source/packages/worker/container/build.sh /source /image

echo "=== the image"
image=$work/image
open_root "$image"
cp packages/worker/container/install.sh packages/worker/container/packages.txt "$image/container"
quiet chroot "$image" /container/install.sh /container/packages.txt
cp -a "$build/image/." "$image/"
rm "$image/usr/sbin/policy-rc.d" "$image/etc/resolv.conf"
umount -l "$image/dev" "$image/proc"
echo "$(du -sm "$image" | cut -f1) MiB, of which Node $(du -sm "$image/usr/local/bin/node" | cut -f1), the worker $(du -sm "$image/opt/sortie" | cut -f1)"

echo "=== jobs in it, with nothing but loopback"
mount --bind "$image" "$image"
mount -o remount,bind,ro "$image"
for device in null zero random urandom; do mount --bind "/dev/$device" "$image/dev/$device"; done
# The image's own Node runs the check as well.
unshare --net bash -c 'ip link set lo up && exec "$@"' _ "$image/usr/local/bin/node" \
  --conditions=sortie-source --disable-warning=ExperimentalWarning test/container/check.ts "$image"
