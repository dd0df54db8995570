#!/usr/bin/env bash
# Tries the release archive in fresh Debian roots: release_rooms.sh [ARCHIVE]. Debian 12 and 13 must draw
# the same picture; Debian 11 must get one line that names the glibc it lacks. Nothing is installed. The Debian package of
# the same build is then installed in Debian 12 and purged, after which nothing may be left.
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

deb=$(ls -t dist/octet_*_amd64.deb 2>/dev/null | head -n 1)
[ -f "$deb" ] || fail "expected a Debian package in dist/; run make deb"
room=$rooms/bookworm
cp "$deb" "$room/tmp/octet.deb"
cat >"$room/tmp/everything" <<'END'  # all files and users, but for what apt and its tools keep for themselves
find / -xdev \( -path /proc -o -path /run -o -path /tmp -o -path /root -o -path /var/log \
  -o -path /var/cache/apt -o -path /var/cache/debconf -o -path /var/cache/ldconfig -o -path /var/lib/apt \
  -o -path /var/lib/dpkg -o -path '/etc/*-' -o -name .pwd.lock \) -prune -o -print | sort
cat /etc/passwd /etc/group
dpkg-query -W
END
apt="DEBIAN_FRONTEND=noninteractive apt-get -y -qq"
in_room "$room" "rm /usr/local/bin/octet && $apt update && $apt install adduser" >/dev/null 2>&1
in_room "$room" "sh /tmp/everything" >"$room/tmp/before"
in_room "$room" "$apt install /tmp/octet.deb" >/dev/null 2>&1 || fail "deb: no installation"
in_room "$room" "cd /tmp && octet generate 'a red apple on a blue background' --seed 1 -o b.png --quiet &&
  cmp a.png b.png && install -o octet -d /var/lib/octet/models" || fail "deb: does not work"
in_room "$room" "$apt purge octet" >/dev/null 2>&1 || fail "deb: purge"
in_room "$room" "sh /tmp/everything" | diff "$room/tmp/before" - || fail "deb: purge leaves something"
echo "release rooms: ${deb##*/}: installed, drew, purged without a trace"
