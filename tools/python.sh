#!/usr/bin/env bash
# Runs a Python script in a virtual environment of its own: python.sh KIND SCRIPT..., where KIND is
# reference, pictures, sbom, examples or clients.
# "reference" has diffusers and transformers (several GB; goldens, benchmarks), "pictures" only what
# reads pictures and fonts, "sbom" and "examples" validators, "clients" the official client of OpenAI.
# Versions: tests/golden/requirements.txt, training/requirements.txt, below.
# OCTET_PYTHON names an interpreter that has everything, and then nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:?reference or pictures}
shift
[ -z "${OCTET_PYTHON:-}" ] || exec "$OCTET_PYTHON" "$@"

venv=.venv-$kind
if [ ! -e "$venv/complete" ]; then
  python3 -m venv "$venv" || {
    echo "python.sh: needs Debian's python3-venv: apt-get install python3-venv" >&2; exit 6; }
  case $kind in
    reference) cp tests/golden/requirements.txt "$venv/" ;;
    pictures) grep -E '^(numpy|pillow|fonttools)==' training/requirements.txt \
      >"$venv/requirements.txt" ;;
    sbom) printf '%s\n' 'cyclonedx-python-lib[json-validation]==11.5.0' spdx-tools==0.8.3 \
      >"$venv/requirements.txt" ;;
    clients) printf '%s\n' openai==3.57.0 >"$venv/requirements.txt" ;;
    examples) echo kubernetes-validate==1.37.0 >"$venv/requirements.txt" ;;
    *) echo "python.sh: expected reference, pictures, sbom, examples or clients, found '$kind'" >&2
       exit 2 ;;
  esac
  "$venv/bin/pip" install --quiet -r "$venv/requirements.txt"
  touch "$venv/complete"
fi
exec "$venv/bin/python" "$@"
