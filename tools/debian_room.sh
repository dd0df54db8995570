# Sourced by the scripts that try Octet in a fresh Debian: makes and removes roots. Needs root,
# debootstrap and the mirror that apt uses here.

made_rooms=()  # what leave_rooms removes: never a folder that was there before

# debian_room SUITE FOLDER [PACKAGES]: makes a minimal root with /proc in FOLDER, which may not exist.
debian_room() {
  local suite=$1 room=$2 packages=${3:-} mirror
  [ "$(id -u)" -eq 0 ] || { echo "$suite room: needs root, for chroot and mount" >&2; return 6; }
  command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap
  [ ! -e "$room" ] || { echo "$suite room: $room exists; remove it first" >&2; return 6; }
  made_rooms+=("$room")
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages' |
    awk '$2 == "bookworm" {print $1; exit}')
  [ -n "$mirror" ] || { echo "$suite room: apt has no source for bookworm here" >&2; return 6; }
  debootstrap --variant=minbase ${packages:+--include="$packages"} "$suite" "$room" "$mirror" \
    >"$room.log" 2>&1 || { tail -n 20 "$room.log" >&2; return 1; }
  mount -t proc proc "$room/proc"
  cp /etc/resolv.conf "$room/etc/resolv.conf"
  [ ! -d /etc/apt/apt.conf.d ] || grep -rhi '^Acquire::.*[Pp]roxy' /etc/apt/apt.conf.d \
    >"$room/etc/apt/apt.conf.d/90proxy" || true
}

# in_room FOLDER COMMAND: runs it there with a bare environment.
in_room() {
  chroot "$1" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    bash -c "$2" </dev/null
}

# leave_rooms: removes the rooms that were made, never through a mount that would not go away. With
# KEEP set they stay, unmounted.
leave_rooms() {
  local room mounted
  for room in "${made_rooms[@]}"; do
    grep -oE " $room/[^ ]+" /proc/mounts | while read -r mounted; do umount "$mounted" || true; done
    grep -qF " $room/" /proc/mounts || [ -n "${KEEP:-}" ] || rm -rf "$room" "$room.log"
  done
}
