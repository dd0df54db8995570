#!/usr/bin/env bash
# Regenerates the golden fixtures with diffusers and transformers, in a virtual environment of its
# own (.venv-golden, about 2 GB). Arguments go to make_golden.py.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=.venv-golden
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r tests/golden/requirements.txt
fi
exec "$venv/bin/python" tests/golden/make_golden.py "$@"
