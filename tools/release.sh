#!/usr/bin/env bash
# Makes dist/octet-VERSION-linux-x86_64.tar.zst and its SHA-256 from the present sources. RELEASE_PRESET
# names the CMake preset; 'release' builds without CUDA and marks the archive "-cpu". The same commit
# gives the same bytes, wherever it lies (tools/reproducible.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${RELEASE_PRESET:-cuda}
build=build-release-$preset
export LC_ALL=C TZ=UTC
umask 022
# A tree without git, from an archive, has no date of its own: the first that zip files can hold.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}
export SOURCE_DATE_EPOCH

cmake --preset "$preset" -B "$build" -DOCTET_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr/local
ninja -C "$build" -j "${JOBS:-$(tools/jobs.sh)}" octet

version=$(sed -n 's/^project(octet VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
name=octet-$version-linux-x86_64
[ "$preset" != release ] || name+=-cpu
stage=$PWD/$build/stage/$name
rm -rf "$build/stage"
DESTDIR='' cmake --install "$build" --prefix "$stage" --strip >/dev/null
mkdir -p "$stage/lib/octet" dist
mv "$stage/bin/octet" "$stage/lib/octet/octet"
install -m 755 packaging/launcher/octet "$stage/bin/octet"
cp LICENSE THIRD_PARTY.md "$stage/"
"$build/octet" sbom --format cyclonedx -o "$stage/octet.cdx.json"
"$build/octet" sbom --format spdx -o "$stage/octet.spdx.json"
tools/collect_licences.py "$build/octet" "$stage/licences"

tools/check_binary.py "$stage/lib/octet/octet" --without "$PWD"
tar --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw \
  --mtime="@$SOURCE_DATE_EPOCH" -C "$build/stage" -cf - "$name" |
  zstd -q -f -12 --single-thread -o "dist/$name.tar.zst"
(cd dist && sha256sum "$name.tar.zst" | tee "$name.tar.zst.sha256")
