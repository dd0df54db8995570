#!/usr/bin/env bash
# Installs into an empty folder, runs what is there, and uninstalls: nothing may stay.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$(mktemp -d "${TMPDIR:-/tmp}/octet-install-XXXXXX")
trap 'rm -rf "$root"' EXIT
make install DESTDIR="$root/destination" PREFIX=/usr/local >/dev/null
installed=$(find "$root/destination" -type f | wc -l)
"$root/destination/usr/local/bin/octet" generate "a red apple" --quiet -o "$root/a.png"
grep -q '^ExecStart=/usr/local/bin/octet ' "$root/destination/usr/local/lib/systemd/system/octet.service"
make uninstall DESTDIR="$root/destination"
left=$(find "$root" -mindepth 1 ! -name a.png)
[ -z "$left" ] || { echo "install check: left behind: $left" >&2; exit 1; }
echo "install check: $installed files installed, none left"
