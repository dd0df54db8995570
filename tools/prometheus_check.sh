#!/usr/bin/env bash
# A real Prometheus reads a server's /metrics, and promtool judges its form, the alert rules and
# their tests: prometheus_check.sh [OCTET]. Needs Debian's package prometheus.
set -euo pipefail
cd "$(dirname "$0")/.."
octet=${1:-build/octet}
work=$(mktemp -d)
server= prometheus=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true
      [ -z "$prometheus" ] || kill "$prometheus" 2>/dev/null || true; wait; rm -rf "$work"' EXIT

wait_for() {  # COMMAND: for up to 60 s
  for _ in $(seq 300); do
    if eval "$1" >/dev/null 2>&1; then return 0; fi
    sleep 0.2
  done
  echo "prometheus_check: never came true: $1" >&2
  cat "$work"/*.log >&2
  return 1
}

promtool check rules packaging/prometheus/octet.rules.yml
promtool test rules packaging/prometheus/octet.rules.test.yml

"$octet" serve --listen 127.0.0.1:0 2>"$work/server.log" &
server=$!
wait_for "grep -q 'listening on' $work/server.log"
url=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$work/server.log" | head -1)
wait_for "curl -fs $url/readyz"
for seed in 1 2; do
  curl -fs "$url/v1/images/generations" -H 'Content-Type: application/json' \
    -d "{\"prompt\": \"a red apple\", \"seed\": $seed}" -o /dev/null
done
curl -fs "$url/metrics" >"$work/metrics"
promtool check metrics <"$work/metrics"

cat >"$work/prometheus.yml" <<CONFIG
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [$PWD/packaging/prometheus/octet.rules.yml]
scrape_configs:
  - job_name: octet
    static_configs: [{targets: ["${url#http://}"]}]
CONFIG
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" \
  --web.listen-address="127.0.0.1:$port" >"$work/prometheus.log" 2>&1 &
prometheus=$!

# The first value of an expression, as Prometheus has it.
value() {
  curl -fs --get "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["result"][0]["value"][1])'
}
wait_for "[ \"\$(value 'up{job=\"octet\"}')\" = 1 ]"
for question in 'sum(sd_images_total) == 2' 'sd_worker_ready == 1' 'sum(sd_step_seconds_count) > 1' \
    'sum(sd_batch_size_sum) > 1' 'sum(sd_prompt_cache_hits_total) >= 1' \
    'sd_process_resident_bytes{process="worker"} > 1e6' 'sum(sd_vram_plan_bytes) > 1e6' \
    'sum(sd_queue_wait_seconds_count) == 2' \
    'sum(sd_requests_total{route="/v1/images/generations", code="200"}) == 2'; do
  wait_for "value '$question'"
  echo "  $question"
done
wait_for "curl -fs http://127.0.0.1:$port/api/v1/rules | grep -q OctetStepTimeDrift"
[ "$(curl -fs "http://127.0.0.1:$port/api/v1/alerts" | grep -c '"state":"firing"')" = 0 ]
echo "prometheus_check: a real Prometheus has read the server"
