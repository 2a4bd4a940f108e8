#!/bin/sh
# Installs the Debian packages of a list (one a line, # begins a comment) and leaves no caches behind.
# Usage: install.sh LIST
set -eu

export DEBIAN_FRONTEND=noninteractive
packages=$(sed 's/#.*//' "$1")

apt-get update -qq
# shellcheck disable=SC2086 # a list of words is meant
apt-get install -qq --yes --no-install-recommends $packages
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old
