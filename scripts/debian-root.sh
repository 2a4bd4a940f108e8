#!/usr/bin/env bash
# Makes the root file system of a small Debian system in a folder, for programs that shall run in a chroot.
#
# Usage: scripts/debian-root.sh DIR SUITE [PACKAGE ...]
#
# DIR must be empty or absent. The mirror, its proxy and its keys are those of this machine's own apt, read when this
# runs; SORTIE_DEBIAN_MIRROR names another. Finished roots are kept as archives in the user's cache folder under a hash of
# suite, architecture and packages for two weeks, so that a second run only unpacks. Needs root or sudo; installs
# debootstrap with apt-get if it is missing. Exit code 69 where that cannot be had.
set -euo pipefail

unavailable() {
  echo "debian-root: $*" >&2
  exit 69
}

[ $# -ge 2 ] || { sed -n '2,4p' "$0" >&2; exit 64; }

if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || unavailable "a chroot needs root, and sudo does not work here"
  exec sudo --preserve-env=HOME,XDG_CACHE_HOME,SORTIE_DEBIAN_MIRROR,http_proxy,https_proxy "$0" "$@"
fi

# The whole program runs in a mount namespace of its own, so that no mount outlives it.
if [ "${SORTIE_DEBIAN_ROOT_NAMESPACE:-}" != 1 ]; then
  SORTIE_DEBIAN_ROOT_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"
fi

target=$1
suite=$2
shift 2

if [ -d "$target" ] && [ -n "$(ls -A "$target")" ]; then
  echo "debian-root: $target is not empty" >&2
  exit 73
fi

export PATH="$PATH:/usr/sbin:/sbin"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
architecture=$(dpkg --print-architecture 2>/dev/null) || unavailable "this is no Debian system: there is no dpkg"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/sortie/debian-roots"
mkdir -p "$cache"
find "$cache" -maxdepth 1 -name '*.tar' -mtime +14 -delete

# Another recipe below is another root: change the number with it.
archive_of() { printf '%s\n' 1 "$suite" "$architecture" "$@" | sha256sum | cut -c1-32; }
mapfile -t packages < <(printf '%s\n' "$@" | grep . | sort -u)

# The first archive of apt's own sources that Debian itself publishes and that is not the security one.
own_mirror() {
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -F'|' '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

proxy_of_apt() {
  http_proxy=${http_proxy:-$(apt-config dump --format '%v%n' Acquire::http::Proxy 2>/dev/null | head -n 1)}
  https_proxy=${https_proxy:-$(apt-config dump --format '%v%n' Acquire::https::Proxy 2>/dev/null | head -n 1)}
  [ -z "$http_proxy" ] || export http_proxy
  [ -z "$https_proxy" ] || export https_proxy
}

work=$(mktemp -d "$cache/building.XXXXXX")
leave() {
  for mounted in proc dev; do
    if mountpoint -q "$work/root/$mounted"; then umount -l "$work/root/$mounted"; fi
  done
  rm -rf --one-file-system "$work"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# keep ARCHIVE: what was built is there for the next run, whole or not at all.
keep() {
  tar -C "$work/root" -cf "$work/root.tar" --one-file-system .
  mv "$work/root.tar" "$1"
}

build_base() {
  command -v debootstrap >/dev/null || {
    echo "debian-root: installing debootstrap" >&2
    { apt-get update -qq && apt-get install -y -qq debootstrap; } >"$work/log" 2>&1 ||
      { tail -n 20 "$work/log" >&2; unavailable "debootstrap cannot be installed"; }
  }
  proxy_of_apt
  local mirror=${SORTIE_DEBIAN_MIRROR:-$(own_mirror)}
  echo "debian-root: building a base of $suite" >&2
  debootstrap --variant=minbase "$suite" "$work/root" ${mirror:+"$mirror"} >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; unavailable "debootstrap failed"; }
  rm -rf "$work/root/var/cache/apt/archives/"*.deb "$work/root/var/lib/apt/lists/"*
}

add_packages() {
  echo "debian-root: installing ${packages[*]}" >&2
  proxy_of_apt
  local root=$work/root
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  # How names are resolved is this machine's business while packages are fetched, and nobody's afterwards.
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  { chroot "$root" apt-get update -qq &&
    chroot "$root" apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; unavailable "the packages cannot be installed"; }
  chroot "$root" apt-get clean
  rm -rf "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf" "$root/var/lib/apt/lists/"*
  umount -l "$root/dev"
  umount "$root/proc"
}

base=$cache/$(archive_of).tar
archive=$cache/$(archive_of "${packages[@]}").tar

# One at a time: whoever comes second finds what the first has built.
exec 9>"$cache/lock"
flock 9
if [ ! -f "$archive" ]; then
  mkdir "$work/root"
  if [ -f "$base" ]; then
    tar -C "$work/root" -xpf "$base"
  else
    build_base
    keep "$base"
  fi
  if [ ${#packages[@]} -gt 0 ]; then
    add_packages
    keep "$archive"
  fi
fi
flock -u 9

mkdir -p "$target"
tar -C "$target" -xpf "$archive"
