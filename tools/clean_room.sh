#!/usr/bin/env bash
# The newcomer's experience, timed: makes a Debian 12 root that holds only git and make, clones the
# last commit into it and types the two commands of the README, on 2 cores. Needs root, debootstrap
# and a Debian mirror (the one that apt uses here). CLEAN_ROOM names the folder; KEEP=1 keeps it.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
room=${CLEAN_ROOM:-${TMPDIR:-/tmp}/octet-clean-room}
clone="/srv/octet clone"  # a blank in the path, because some newcomer will have one
prompt="a red apple on a blue background"
run_limit=600 test_limit=900 generate_limit=5

[ "$(id -u)" -eq 0 ] || { echo "clean_room.sh: needs root, for chroot and mount" >&2; exit 6; }
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap
[ ! -e "$room" ] || { echo "clean_room.sh: $room exists; remove it first" >&2; exit 6; }
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages' |
  awk '$2 == "bookworm" {print $1; exit}')
[ -n "$mirror" ] || { echo "clean_room.sh: apt has no source for bookworm here" >&2; exit 6; }

leave() {
  umount "$room/source" "$room/proc" 2>/dev/null || true
  # Never through a mount that would not go away.
  if [ -z "${KEEP:-}" ] && ! grep -qF " $room/" /proc/mounts; then rm -rf "$room"; fi
}
trap leave EXIT

echo "clean room: debootstrap from $mirror"
debootstrap --variant=minbase --include=git,make bookworm "$room" "$mirror" >"$room.log" 2>&1 ||
  { tail -n 20 "$room.log" >&2; exit 1; }
mkdir -p "$room/source"
mount --bind "$repository" "$room/source"
mount -o remount,ro,bind "$room/source"
mount -t proc proc "$room/proc"
cp /etc/resolv.conf "$room/etc/resolv.conf"
[ ! -d /etc/apt/apt.conf.d ] || grep -rhi '^Acquire::.*[Pp]roxy' /etc/apt/apt.conf.d \
  >"$room/etc/apt/apt.conf.d/90proxy" || true

inside() {  # COMMAND: runs it in the room on 2 cores with a bare environment
  taskset -c 0,1 chroot "$room" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    bash -c "$1" </dev/null
}
timed() {  # NAME LIMIT COMMAND; prints processor time as well, which a busy machine distorts less
  local TIMEFORMAT='%R %U %S' figures
  { figures=$({ time inside "$3" >&3 2>&3; } 2>&1); } 3>&1 ||
    { echo "clean room: $1: FAILED" >&2; exit 1; }
  awk -v name="$1" -v limit="$2" '{
    printf "clean room: %s: %.1f s (at most %d), processor time %.1f s\n", name, $1, limit, $2 + $3
    exit !($1 <= limit)}' <<<"$figures" || slow+=("$1")
}
slow=()

inside "git -c safe.directory='*' clone -q /source '$clone'"
timed "make run" "$run_limit" "cd '$clone' && make run PROMPT='$prompt'"
inside "cd '$clone' && head -c 8 out.png | od -An -tx1 | grep -q '89 50 4e 47 0d 0a 1a 0a'" ||
  { echo "clean room: out.png is no PNG" >&2; exit 1; }
mkdir -p build
cp "$room$clone/out.png" build/clean-room.png
draw="cd '$clone' && build/octet generate '$prompt' --seed 1"
timed "octet generate" "$generate_limit" "$draw -o one.png"
inside "$draw -o two.png --quiet && cmp one.png two.png && rm one.png two.png" ||
  { echo "clean room: the same prompt and seed gave another picture" >&2; exit 1; }
timed "make test" "$test_limit" "cd '$clone' && make test"
inside "cd '$clone' && git status --porcelain | (! grep .)" ||
  { echo "clean room: the commands left files that git does not ignore" >&2; exit 1; }
if [ ${#slow[@]} -gt 0 ]; then
  echo "clean room: everything works, but too slowly (load average $(cut -d' ' -f1 /proc/loadavg)):" \
    "${slow[*]}" >&2
  exit 1
fi
echo "clean room: both commands work; the picture is build/clean-room.png"
