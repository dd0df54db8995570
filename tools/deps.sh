#!/usr/bin/env bash
# Installs the Debian packages that a kind of work needs:
# deps.sh build|test|check|full|quality|release|page|image. Each of the first four contains the ones
# before it; quality, release and page contain build, image contains release. Does nothing, quickly, when all are there.
set -euo pipefail

kind=${1:-test}
build=(g++ cmake ninja-build libpng-dev libjpeg62-turbo-dev libwebp-dev zlib1g-dev
       nlohmann-json3-dev libtomlplusplus-dev libboost1.81-dev libssl-dev)
test=(libgtest-dev libopenblas-dev python3 openssl)
check=(git clang-format clang-tidy)
full=(clang-16 libclang-rt-16-dev prometheus curl)
release=(git python3 python3-venv zstd man-db lintian)
image=(umoci skopeo docker-compose)
page=(chromium python3)
quality=(python3-venv fonts-noto-color-emoji unicode-cldr-core)

case "$kind" in
  build) want=("${build[@]}") ;;
  test) want=("${build[@]}" "${test[@]}") ;;
  check) want=("${build[@]}" "${test[@]}" "${check[@]}") ;;
  full) want=("${build[@]}" "${test[@]}" "${check[@]}" "${full[@]}") ;;
  quality) want=("${build[@]}" "${quality[@]}") ;;
  release) want=("${build[@]}" "${release[@]}") ;;
  page) want=("${build[@]}" "${page[@]}") ;;
  image) want=("${build[@]}" "${release[@]}" "${image[@]}") ;;
  *) echo "deps.sh: expected build, test, check, full, quality, release, page or image, found '$kind'" >&2
     exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "deps.sh: this is not a Debian system; needed are its equivalents of: ${want[*]}" >&2
  exit 0
fi

installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${want[@]}" 2>/dev/null || true)
missing=()
for package in "${want[@]}"; do
  grep -qxF "installed $package" <<<"$installed" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
  as_root=(sudo)
else
  echo "Octet needs packages that only root can install. Please run, then try again:" >&2
  echo "    sudo apt-get update && sudo $install" >&2
  exit 6
fi

echo "Installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq ||
  echo "deps.sh: apt-get update failed; trying with the package lists at hand" >&2
# The environment is set behind sudo as well, which drops it.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $install -qq >/dev/null
