#!/usr/bin/env bash
# Generates in one process for SOAK_SECONDS (600), watching memory and open files: soak.sh [MODEL].
set -euo pipefail
cd "$(dirname "$0")/.."
tools/deps.sh test
cmake --preset release -DOCTET_TESTS=ON >/dev/null
ninja -C build -j "${JOBS:-$(tools/jobs.sh)}" soak_generate
exec build/tests/soak/soak_generate "${SOAK_SECONDS:-600}" "$@"
