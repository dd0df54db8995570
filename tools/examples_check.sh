#!/usr/bin/env bash
# Validates the deployment examples offline: compose.yaml with docker-compose's schema, the Kubernetes
# objects with the schemas that kubernetes-validate brings. Each validator must also refuse a fault.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
examples=packaging/examples
fail() { echo "examples check: $1" >&2; exit 1; }

compose() { docker-compose -f "$1" config -q; }
compose $examples/compose.yaml || fail "compose.yaml is not valid"
sed 's/restart:/restrat:/' $examples/compose.yaml >"$work/compose.yaml"
if compose "$work/compose.yaml" 2>/dev/null; then fail "a misspelt key of compose.yaml passes"; fi

cat >"$work/validate.py" <<'END'
import sys
import kubernetes_validate.utils as kubernetes
import yaml
for document in yaml.safe_load_all(open(sys.argv[1])):
    kubernetes.validate(document, "1.30", strict=True)
END
objects() { tools/python.sh examples "$work/validate.py" "$1"; }
objects $examples/kubernetes.yaml || fail "kubernetes.yaml is not valid"
sed 's/readinessProbe/readynessProbe/' $examples/kubernetes.yaml >"$work/kubernetes.yaml"
if objects "$work/kubernetes.yaml" 2>/dev/null; then fail "a misspelt key of kubernetes.yaml passes"; fi
echo "examples check: compose.yaml and kubernetes.yaml are valid; misspelt ones are refused"
