#!/usr/bin/env bash
# Fills an empty folder with the root of Octet's container image: image_root.sh ARCHIVE ROOT. The program
# of a release archive, the glibc of this Debian, one user, and folders that it may write to. No shell.
# CUBLASLT names a folder with libcublasLt.so.13, which the image then contains (GPUs need it).
set -euo pipefail
archive=$1 root=$2
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
umask 022
zstd -dcq "$archive" | tar -x --strip-components=1 -C "$here"

mkdir -p "$root"/{etc,lib64,tmp,usr/bin,usr/lib/x86_64-linux-gnu,usr/share/doc,var/lib/octet,var/cache/octet}
ln -s usr/lib "$root/lib"
install -m 755 "$here/lib/octet/octet" "$root/usr/bin/octet"
cp -R "$here/licences" "$here/LICENSE" "$here/THIRD_PARTY.md" "$here"/octet.*.json "$root/usr/share/doc/"
for library in ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1; do
  install -m 755 "/lib/x86_64-linux-gnu/$library" "$root/usr/lib/x86_64-linux-gnu/$library"
done
ln -s ../usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$root/lib64/ld-linux-x86-64.so.2"
cp /usr/share/doc/libc6/copyright "$root/usr/share/doc/licences/libc6.txt"
if [ -n "${CUBLASLT:-}" ]; then
  mkdir -p "$root/usr/local/cuda/lib64"
  cp -L "$CUBLASLT/libcublasLt.so.13" "$root/usr/local/cuda/lib64/"
fi
echo 'octet:x:10001:10001:Octet:/var/lib/octet:/usr/sbin/nologin' >"$root/etc/passwd"
echo 'octet:x:10001:' >"$root/etc/group"
chmod 1777 "$root/tmp"
chmod 700 "$root/var/lib/octet" "$root/var/cache/octet"
[ "$(id -u)" -ne 0 ] || chown 10001:10001 "$root/var/lib/octet" "$root/var/cache/octet"
find "$root" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-315532800}" {} +
