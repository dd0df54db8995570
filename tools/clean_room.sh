#!/usr/bin/env bash
# The newcomer's experience, timed: makes a Debian 12 root that holds only git and make, clones the
# last commit into it and types the two commands of the README, on 2 cores. Needs root, debootstrap
# and a Debian mirror (the one that apt uses here). CLEAN_ROOM names the folder; KEEP=1 keeps it.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
. tools/debian_room.sh
room=${CLEAN_ROOM:-${TMPDIR:-/tmp}/octet-clean-room}
clone="/srv/octet clone"  # a blank in the path, because some newcomer will have one
prompt="a red apple on a blue background"
run_limit=600 test_limit=900 generate_limit=5

trap leave_rooms EXIT

echo "clean room: debootstrap"
debian_room bookworm "$room" git,make
mkdir -p "$room/source"
mount --bind "$repository" "$room/source"
mount -o remount,ro,bind "$room/source"

taskset -pc 0,1 $$ >/dev/null
inside() { in_room "$room" "$1"; }
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
