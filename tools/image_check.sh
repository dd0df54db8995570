#!/usr/bin/env bash
# Makes the container image twice, which must give the same bytes, and runs its root as its user: a
# picture, and a server that says that it is ready. Needs root, for chroot.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/octet-image-check-XXXXXX")
server=
leave() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
  umount "$work/bundle/rootfs/proc" 2>/dev/null || true
  grep -qF " $work/" /proc/mounts || rm -rf "$work"
}
trap leave EXIT
fail() { echo "image check: $1" >&2; exit 1; }

tools/image.sh >"$work/first"
tools/image.sh >"$work/second"
cmp "$work/first" "$work/second" || fail "two images of the same archive differ"
tar=$(awk '{print $2}' "$work/first")

skopeo copy -q "oci-archive:$tar" "oci:$work/layout:check"
umoci unpack --image "$work/layout:check" "$work/bundle"
root=$work/bundle/rootfs
skopeo inspect --config "oci-archive:$tar" >"$work/config"
grep -q '"User":"10001:10001"' <(tr -d ' \n' <"$work/config") || fail "the image runs as root"
mkdir -p "$root/proc"
mount -t proc proc "$root/proc"
inside() {
  env -i PATH=/usr/sbin:/usr/bin OCTET_CACHE=/var/cache/octet chroot --userspec=10001:10001 "$root" /usr/bin/octet "$@"
}
inside generate "a red apple on a blue background" --seed 1 --quiet -o /tmp/a.png
[ "$(head -c 8 "$root/tmp/a.png" | od -An -tx1)" = " 89 50 4e 47 0d 0a 1a 0a" ] || fail "no PNG"
inside key add check --keys /var/lib/octet/octet.keys >/dev/null
env -i PATH=/usr/sbin:/usr/bin OCTET_CACHE=/var/cache/octet chroot --userspec=10001:10001 "$root" /usr/bin/octet \
  serve --listen 0.0.0.0:18431 --keys /var/lib/octet/octet.keys >"$work/log" 2>&1 &
server=$!
for attempt in $(seq 60); do
  inside health --address 127.0.0.1:18431 --timeout 2 --quiet 2>"$work/health" && break
  [ "$attempt" -lt 60 ] || { cat "$work/log" "$work/health" >&2; fail "the server is not ready"; }
  sleep 0.5
done
kill "$server"
wait "$server" || fail "the server did not end as it should"
server=
if inside health --address 127.0.0.1:18431 --quiet 2>/dev/null; then fail "health of nobody"; fi
echo "image check: ${tar##*/}: reproducible, draws and serves as user 10001"
