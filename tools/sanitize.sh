#!/usr/bin/env bash
# Builds with a sanitizer preset and runs the tests: sanitize.sh asan|tsan.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?asan or tsan}
jobs=${JOBS:-$(tools/jobs.sh)}

tools/deps.sh test
cmake --preset "$preset" -DOCTET_TESTS=ON >/dev/null
ninja -C "build-$preset" -j "$jobs"
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:allocator_may_return_null=1
ctest --test-dir "build-$preset" --output-on-failure -j "$jobs" --timeout 1800
