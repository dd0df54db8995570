#!/usr/bin/env bash
# Makes dist/octet-VERSION-linux-x86_64.tar.zst and its SHA-256 from the present sources. RELEASE_PRESET
# names the CMake preset; 'release' builds without CUDA and marks the archive "-cpu". The same commit
# gives the same bytes, wherever it lies (tools/reproducible.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/release_build.sh

name=octet-$version-linux-x86_64${flavour:+-$flavour}
stage=$PWD/$build/stage/$name
rm -rf "$build/stage"
DESTDIR='' cmake --install "$build" --prefix "$stage" --strip >/dev/null
mkdir -p "$stage/lib/octet"
mv "$stage/bin/octet" "$stage/lib/octet/octet"
install -m 755 packaging/launcher/octet "$stage/bin/octet"
# In the archive the unit expects it in /opt/octet.
sed 's,/usr/bin/octet,/opt/octet/bin/octet,' packaging/systemd/octet.service \
  >"$stage/lib/systemd/system/octet.service"
[ ! -d packaging/examples ] || cp -R packaging/examples "$stage/examples"
cp LICENSE THIRD_PARTY.md "$stage/"
"$build/octet" sbom --format cyclonedx -o "$stage/octet.cdx.json"
"$build/octet" sbom --format spdx -o "$stage/octet.spdx.json"
tools/collect_licences.py "$build/octet" "$stage/licences"

tools/check_binary.py "$stage/lib/octet/octet" --without "$PWD"
tar --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw \
  --mtime="@$SOURCE_DATE_EPOCH" -C "$build/stage" -cf - "$name" |
  zstd -q -f -12 --single-thread -o "dist/$name.tar.zst"
(cd dist && sha256sum "$name.tar.zst" | tee "$name.tar.zst.sha256")
