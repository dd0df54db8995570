# Sourced by the scripts that pack releases: builds the program for others with RELEASE_PRESET (cuda,
# or release for one without CUDA) and sets build, version, flavour ("" or "cpu") and SOURCE_DATE_EPOCH.
preset=${RELEASE_PRESET:-cuda}
build=build-release-$preset
flavour=
[ "$preset" != release ] || flavour=cpu
export LC_ALL=C TZ=UTC
umask 022
# A tree without git, from an archive, has no date of its own: the first that zip files can hold.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}
export SOURCE_DATE_EPOCH

cmake --preset "$preset" -B "$build" -DOCTET_TESTS=OFF
ninja -C "$build" -j "${JOBS:-$(tools/jobs.sh)}" octet octet_manual
version=$(sed -n 's/^project(octet VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
mkdir -p dist
