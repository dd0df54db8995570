#!/usr/bin/env bash
# Makes dist/octet_VERSION_amd64.deb from the present sources, reproducibly. RELEASE_PRESET=release builds
# without CUDA, which the version says ("+cpu"). lintian must find no error where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/release_build.sh

full=$version${flavour:++$flavour}-1
root=$PWD/$build/deb
rm -rf "$root"
DESTDIR=$root cmake --install "$build" --prefix /usr --strip >/dev/null
doc=$root/usr/share/doc/octet

rm "$doc/LICENSE"  # Debian's place for it is the file copyright
mkdir -p "$root/usr/share/zsh/vendor-completions" "$root/etc/default" \
  "$root/usr/share/lintian/overrides" "$root/DEBIAN"
mv "$root/usr/share/zsh/site-functions/_octet" "$root/usr/share/zsh/vendor-completions/"
rmdir "$root/usr/share/zsh/site-functions"
install -m 644 packaging/systemd/octet.default "$root/etc/default/octet"
install -m 644 packaging/debian/copyright "$doc/copyright"
install -m 644 packaging/debian/lintian-overrides "$root/usr/share/lintian/overrides/octet"
tools/collect_licences.py "$build/octet" "$doc/licences"
gzip -9n "$root"/usr/share/man/man1/*.1
date=$(date -R -u -d "@$SOURCE_DATE_EPOCH")
printf 'octet (%s) unstable; urgency=medium\n\n  * Release %s.\n\n -- Octet developers <octet@localhost>  %s\n' \
  "$full" "$version" "$date" | gzip -9n >"$doc/changelog.Debian.gz"

for script in postinst prerm postrm; do
  install -m 755 "packaging/debian/$script" "$root/DEBIAN/$script"
done
echo /etc/default/octet >"$root/DEBIAN/conffiles"
sed "s/@VERSION@/$full/; s/@SIZE@/$(du -sk --apparent-size "$root" | cut -f1)/" \
  packaging/debian/control >"$root/DEBIAN/control"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)

tools/check_binary.py "$root/usr/bin/octet" --without "$PWD"
deb=dist/octet_${full}_amd64.deb
dpkg-deb --root-owner-group -Zxz --threads-max=1 --build "$root" "$deb" >/dev/null
if command -v lintian >/dev/null; then
  lintian --fail-on error --suppress-tags initial-upload-closes-no-bugs "$deb"
else
  echo "deb.sh: lintian is not installed; the package was not checked" >&2
fi
sha256sum "$deb"
