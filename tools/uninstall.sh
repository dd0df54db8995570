#!/usr/bin/env bash
# Removes what `make install` put on this machine, from the list that it left in build/, and the folders
# that are empty then. DESTDIR as for make install. What programs wrote since (caches, keys) stays.
set -euo pipefail
cd "$(dirname "$0")/.."
list=build/install_manifest.txt
[ -f "$list" ] || { echo "uninstall: expected $list, which make install writes; found none" >&2; exit 5; }
while IFS= read -r file || [ -n "$file" ]; do
  rm -f -- "${DESTDIR:-}$file"
  rmdir -p --ignore-fail-on-non-empty -- "$(dirname "${DESTDIR:-}$file")" 2>/dev/null || true
done <"$list"
rm -f "$list"
