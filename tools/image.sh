#!/usr/bin/env bash
# Makes dist/octet-VERSION-image.tar, an OCI image, without a daemon: `podman load -i`, or `skopeo copy
# oci-archive:FILE docker-daemon:octet:VERSION`. Packs the archive of `make release` with umoci, with the
# settings of packaging/container/Dockerfile, and the same bytes each time. Needs root, for the owners
# of files.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "image.sh: needs root, for the owners of files" >&2; exit 6; }
export LC_ALL=C TZ=UTC
preset=${RELEASE_PRESET:-cuda}
flavour=
[ "$preset" != release ] || flavour=-cpu
version=$(sed -n 's/^project(octet VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
archive=dist/octet-$version-linux-x86_64$flavour.tar.zst
[ -f "$archive" ] || { echo "image.sh: expected $archive; run make release" >&2; exit 5; }
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}
export SOURCE_DATE_EPOCH
date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
work=$(mktemp -d "${TMPDIR:-/tmp}/octet-image-XXXXXX")
trap 'rm -rf "$work"' EXIT

tools/image_root.sh "$archive" "$work/root"
image=$work/layout:$version
umoci init --layout "$work/layout"
umoci new --image "$image"
umoci insert --image "$image" --history.created "$date" --history.created_by "make image" \
  --history.comment '' --history.author Octet "$work/root" /
umoci config --image "$image" --no-history --created "$date" --author Octet \
  --architecture amd64 --os linux --config.user 10001:10001 --config.workingdir /var/lib/octet \
  --config.entrypoint /usr/bin/octet --config.cmd serve --config.cmd --listen \
  --config.cmd 0.0.0.0:8080 --config.cmd --keys --config.cmd /var/lib/octet/octet.keys \
  --config.exposedports 8080/tcp --config.volume /var/lib/octet \
  --config.env PATH=/usr/bin --config.env OCTET_CACHE=/var/cache/octet \
  --config.env NVIDIA_VISIBLE_DEVICES=all --config.env NVIDIA_DRIVER_CAPABILITIES=compute,utility \
  --config.label org.opencontainers.image.title=octet \
  --config.label "org.opencontainers.image.version=$version" \
  --config.label org.opencontainers.image.licenses=Apache-2.0
umoci gc --layout "$work/layout"
tar --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
  --mode=go=rX,u+rwX -C "$work/layout" -cf "dist/octet-$version-image$flavour.tar" .
sha256sum "dist/octet-$version-image$flavour.tar"
