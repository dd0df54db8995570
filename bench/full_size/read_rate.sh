#!/usr/bin/env bash
# How fast a model of full size is loaded from a cold disk, beside what dd reads and what the machine
# gives of memory: read_rate.sh OCTET FOLDER [ROUNDS]. Figures in GB/s, one line a round:
#   dd      the weight files, one after the other, to /dev/null
#   kept    the same, cold again, into /dev/shm: memory that stays and was nobody's before, as that of
#           weights is; of models up to a quarter of the memory that is free
#   memory  as many bytes of zeros from dd into /dev/shm (half of it at most)
#   octet   weight bytes / seconds of loading (start to ready), as `octet generate --json` tells
# The files are taken out of the page cache before each; needs neither root nor an idle disk, but
# an idle machine to mean something.
set -euo pipefail
octet=$1 folder=$2 rounds=${3:-3}
mapfile -t files < <(find "$folder" -name '*.safetensors' | sort)
bytes=$(stat -c %s "${files[@]}" | awk "{ n += \$1 } END { printf \"%.0f\", n }")
scratch=$(mktemp -d) shm=/dev/shm/octet_read_rate.$$
trap 'rm -rf "$scratch" "$shm"' EXIT

cold() { for f in "${files[@]}"; do dd if="$f" of=/dev/null iflag=nocache count=0 status=none; done; }
rate() { awk "BEGIN { printf \"%.2f\", $1 / $2 * 1e-9 }"; }
timed() { # seconds of a command
  local begin end
  begin=$(date +%s.%N)
  "$@"
  end=$(date +%s.%N)
  awk "BEGIN { print $end - $begin }"
}
read_all() { for f in "${files[@]}"; do dd if="$f" of=/dev/null bs=16M status=none; done; }
keep_all() {
  for f in "${files[@]}"; do dd if="$f" of="$shm" bs=16M oflag=append conv=notrunc status=none; done
}
fill() { dd if=/dev/zero of="$shm" bs=16M count=$((bytes / 2 >> 24)) status=none; }

for _ in $(seq "$rounds"); do
  cold
  disk=$(rate "$bytes" "$(timed read_all)")
  kept=-
  if [ "$bytes" -lt "$(awk '/MemAvailable/ { printf "%.0f", $2 * 256 }' /proc/meminfo)" ]; then
    cold
    kept=$(rate "$bytes" "$(timed keep_all)")
    rm -f "$shm"
  fi
  memory=$(rate $((bytes / 2)) "$(timed fill)")
  rm -f "$shm"
  cold
  "$octet" generate x --model "$folder" --steps 1 --width 64 --height 64 --guidance 1 --seed 1 \
      -o "$scratch/x.png" --json >"$scratch/run.json"
  seconds=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["seconds"]["load"])' \
      "$scratch/run.json")
  echo "dd $disk  kept $kept  memory $memory  octet $(rate "$bytes" "$seconds")"
done
