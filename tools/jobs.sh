#!/usr/bin/env bash
# Prints how many compilers to run at once: one per core, but no more than memory carries
# (about 1.5 GiB for the heaviest source file).
set -euo pipefail
cores=$(nproc 2>/dev/null || echo 2)
free_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo 2>/dev/null || true)
by_memory=$(( ${free_kib:-4000000} / 1500000 ))
jobs=$(( by_memory < cores ? by_memory : cores ))
echo $(( jobs > 0 ? jobs : 1 ))
