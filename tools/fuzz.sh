#!/usr/bin/env bash
# Builds every fuzzer and runs each for FUZZ_SECONDS (60): fuzz.sh [NAME...].
# A crash, a leak, a timeout or too much memory fails; the input that did it is kept and named.
# New inputs are collected in build-fuzz/corpus/NAME and used again by the next run.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}

cmake --preset fuzz >/dev/null
ninja -C build-fuzz -j "${JOBS:-$(tools/jobs.sh)}" fuzzers

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for source in tests/fuzz/fuzz_*.cc; do
    name=$(basename "$source" .cc)
    names+=("${name#fuzz_}")
  done
fi

failed=()
for name in "${names[@]}"; do
  corpus=build-fuzz/corpus/$name
  crashes=build-fuzz/crashes/$name
  mkdir -p "$corpus" "$crashes"
  folders=("$corpus")
  [ -d "tests/fuzz/seeds/$name" ] && folders+=("tests/fuzz/seeds/$name")
  log=build-fuzz/$name.log
  if "$(find build-fuzz -name "fuzz_$name" -type f -perm -u+x | head -n 1)" \
      "${folders[@]}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
      -max_len=65536 -print_final_stats=1 -artifact_prefix="$crashes/" >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "fuzz: $name: $runs inputs in $seconds s, no fault"
  else
    tail -n 40 "$log" >&2
    echo "fuzz: $name: FAILED, see $log and $crashes/" >&2
    failed+=("$name")
  fi
done
[ ${#failed[@]} -eq 0 ] || { echo "fuzz: failed: ${failed[*]}" >&2; exit 1; }
