#!/usr/bin/env bash
# Plants each known fault into a copy of the sources and demands that a test notices:
# run.sh [NAME...]. A fault is tests/faults/NAME.patch; above the diff stands what is wrong with
# it, and a line "Tests: a b" naming the CTest tests of which at least one has to fail.
#
# Fails when the unchanged copy does not pass, when a patch no longer applies (then mend the patch),
# when the faulty code does not compile, or when every test passes in spite of the fault.
# The copy and its build live in build-faults/ and are reused, so a second run is quick.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$root/build-faults
tree=$work/tree
jobs=${JOBS:-$(tools/jobs.sh)}

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  for patch in tests/faults/*.patch; do names+=("$(basename "$patch" .patch)"); done
fi

tests_of() { sed -n 's/^Tests: *//p' "$root/tests/faults/$1.patch"; }

# The copy is no repository of its own and must not be taken for a part of this one.
export GIT_CEILING_DIRECTORIES=$work

# Fresh sources with their own times, so that ninja rebuilds only what changed since the last run;
# except those with faults, because the objects of the last run may still contain one.
rm -rf "$tree"
mkdir -p "$tree"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [ -f "$file" ] && printf '%s\0' "$file"
done | tar --null -T - -cf - | tar -xf - -C "$tree"
sed -n 's|^+++ b/||p' tests/faults/*.patch | (cd "$tree" && xargs touch -c)

all=()
for name in "${names[@]}"; do
  tests=$(tests_of "$name")
  [ -n "$tests" ] || { echo "faults: $name: its patch has no line 'Tests: ...'" >&2; exit 1; }
  for test in $tests; do all+=("$test"); done
done
mapfile -t all < <(printf '%s\n' "${all[@]}" | sort -u)

build() {  # TEST...: builds their binaries
  ninja -C "$work/build" -j "$jobs" "${@/#/test_}" >"$work/build.log" 2>&1 ||
    { tail -n 40 "$work/build.log" >&2; return 1; }
}
check() {  # TEST...: succeeds when all of them pass
  local pattern
  pattern="^($(IFS='|'; echo "$*"))\$"
  ctest --test-dir "$work/build" -R "$pattern" -j "$jobs" --no-tests=error --output-on-failure \
    --timeout 600 >"$work/test.log" 2>&1
}

cmake -S "$tree" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DOCTET_TESTS=ON >/dev/null
echo "faults: building ${#all[@]} tests without a fault"
build "${all[@]}" || { echo "faults: the unchanged sources do not build" >&2; exit 1; }
if ! check "${all[@]}"; then
  tail -n 60 "$work/test.log" >&2
  echo "faults: the tests fail on the unchanged sources" >&2
  exit 1
fi

unseen=()
for name in "${names[@]}"; do
  patch=$root/tests/faults/$name.patch
  read -ra tests <<<"$(tests_of "$name")"
  begin=$SECONDS
  if ! (cd "$tree" && git apply -C2 "$patch"); then
    echo "faults: $name: the patch no longer applies" >&2
    unseen+=("$name")
    continue
  fi
  if ! build "${tests[@]}"; then
    echo "faults: $name: the faulty code does not compile" >&2
    unseen+=("$name")
  elif check "${tests[@]}"; then
    echo "faults: $name: NOT SEEN by ${tests[*]}" >&2
    unseen+=("$name")
  else
    seen=$(sed -n 's/.*\*\*\*\(Failed\|Timeout\|Exception\).*//;s/^\t *[0-9]* - \(.*\) (.*/\1/p' \
      "$work/test.log" | sort -u | tr '\n' ' ')
    case=$(sed -n '/.*\[  FAILED  \] \([^ ,]*\).*/{s//\1/p;q}' "$work/test.log")
    echo "faults: $name: seen by ${seen% } (${case:-no gtest case}), $((SECONDS - begin)) s"
  fi
  (cd "$tree" && git apply -R -C2 "$patch")
done

[ ${#unseen[@]} -eq 0 ] || { echo "faults: not in order: ${unseen[*]}" >&2; exit 1; }
echo "faults: all ${#names[@]} were seen"
