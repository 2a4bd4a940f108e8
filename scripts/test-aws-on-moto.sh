#!/usr/bin/env bash
# Runs `npm run test:aws` on moto, which is Debian's own in a root file system of its own, and stops it afterwards.
#
# Needs root or sudo for the chroot (see debian-root.sh), which keeps the root file system for the next run. What moto
# cannot show: it does not run the jobs of Batch, it keeps nothing when it ends, and it checks no permissions.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"

work=$(mktemp -d)
moto=""
leave() {
  [ -z "$moto" ] || { $as_root kill "$moto" 2>/dev/null || true; wait "$moto" 2>/dev/null || true; }
  $as_root rm -rf --one-file-system "$work"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

scripts/debian-root.sh "$work/root" trixie python3-moto python3-flask python3-flask-cors python3-openapi-spec-validator \
  python3-docker python3-werkzeug python3-jsonpath-ng python3-joserfc
$as_root cp test/aws/moto-server.py "$work/root/srv/"

$as_root chroot "$work/root" /usr/bin/python3 /srv/moto-server.py >"$work/port" 2>"$work/log" &
moto=$!
for _ in $(seq 300); do
  port=$(sed -n 's/^moto listens on port \([0-9]*\)$/\1/p' "$work/port")
  [ -z "$port" ] || break
  kill -0 "$moto" 2>/dev/null || break
  sleep 0.1
done
[ -n "$port" ] || { tail -n 20 "$work/log" >&2; echo "moto did not start" >&2; exit 1; }

export AWS_ENDPOINT_URL="http://127.0.0.1:$port" AWS_EC2_METADATA_DISABLED=true AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
unset AWS_PROFILE AWS_SESSION_TOKEN
# Moto takes its time over thousands of rows.
npm run test:aws -- --testTimeout=300000 "$@" || { tail -n 20 "$work/log" >&2; exit 1; }
