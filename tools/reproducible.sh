#!/usr/bin/env bash
# Builds the release of the last commit twice, from clones in folders of different names and without
# a compiler cache, and compares the archives byte for byte. The archive stays in dist/.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/octet-twice-XXXXXX")
trap 'rm -rf "$work"' EXIT
export CCACHE_DISABLE=1
mkdir -p dist
commit=$(git rev-parse HEAD)
for folder in one "another folder"; do
  echo "reproducible: building in $work/$folder"
  git clone -q . "$work/$folder"
  git -C "$work/$folder" -c advice.detachedHead=false checkout -q "$commit"
  (cd "$work/$folder" && tools/release.sh && tools/deb.sh) >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
done
for archive in "$work"/one/dist/*; do
  name=${archive##*/}
  cmp "$archive" "$work/another folder/dist/$name" || {
    echo "reproducible: $name differs between two builds of the same commit" >&2
    exit 1
  }
  cp "$archive" dist/
done
echo "reproducible: two builds of ${commit:0:12} are equal, byte for byte:"
(cd "$work/one/dist" && sha256sum ./*.*)
