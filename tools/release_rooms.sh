#!/usr/bin/env bash
# Tries the release archive in fresh Debian roots: release_rooms.sh [ARCHIVE]. Debian 12 and 13 must draw
# the same picture; Debian 11 must get one line that names the glibc it lacks. Nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/debian_room.sh
archive=${1:-$(ls -t dist/*.tar.zst 2>/dev/null | head -n 1)}
[ -f "$archive" ] || { echo "release rooms: expected an archive; run make release" >&2; exit 2; }
rooms=$(mktemp -d "${TMPDIR:-/tmp}/octet-rooms-XXXXXX")
trap 'leave_rooms; rmdir "$rooms" 2>/dev/null || true' EXIT
fail() { echo "release rooms: $1" >&2; exit 1; }

folder="/srv/any where"
for suite in bullseye bookworm trixie; do
  debian_room "$suite" "$rooms/$suite"
  mkdir -p "$rooms/$suite$folder"
  zstd -dcq "$archive" | tar -x --strip-components=1 -C "$rooms/$suite$folder"
  ln -s "$folder/bin/octet" "$rooms/$suite/usr/local/bin/octet"
done

draw="cd /tmp && /usr/local/bin/octet generate 'a red apple on a blue background' --seed 1 -o a.png"
for suite in bookworm trixie; do
  in_room "$rooms/$suite" "$draw --quiet" || fail "$suite: no picture"
  [ "$(head -c 8 "$rooms/$suite/tmp/a.png" | od -An -tx1)" = " 89 50 4e 47 0d 0a 1a 0a" ] ||
    fail "$suite: the picture is no PNG"
  echo "release rooms: $suite: draws"
done
cmp "$rooms/bookworm/tmp/a.png" "$rooms/trixie/tmp/a.png" || fail "the pictures differ"

message=$(in_room "$rooms/bullseye" "$draw" 2>&1) && fail "bullseye: expected a refusal"
[ "$(wc -l <<<"$message")" -eq 1 ] || fail "bullseye: expected one line, found: $message"
grep -q 'expected glibc 2.34 or newer, found glibc 2.31' <<<"$message" || fail "bullseye: $message"
echo "release rooms: bullseye: $message"
