#!/usr/bin/env bash
# Formats the C++ sources in place, or with --check names the files that differ and fails.
set -euo pipefail
cd "$(dirname "$0")/.."
clang_format=$(command -v clang-format-14 || command -v clang-format)
mapfile -d '' files < <(git ls-files -z -- '*.h' '*.cc' '*.cu' '*.cuh')
existing=()
for file in "${files[@]}"; do [ -f "$file" ] && existing+=("$file"); done
[ ${#existing[@]} -eq 0 ] && exit 0
if [ "${1:-}" = --check ]; then
  if ! "$clang_format" --dry-run --Werror "${existing[@]}"; then
    echo 'format: run `make format`' >&2
    exit 1
  fi
  echo "format: ${#existing[@]} files are formatted"
else
  "$clang_format" -i "${existing[@]}"
fi
