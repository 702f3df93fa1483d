#!/usr/bin/env bash
# `make test-metrics`: a coordinator under promtool: its metrics are well-formed while a training runs, every metric that
# the board and the alerts name is one that it has, the alerts are raised by what they are for, and health says when
# the loop stands still. promtool comes from Debian's package prometheus, unpacked and not installed.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
here=$top/cluster/metrics
QUINTET=${QUINTET:-$top/.build/release/quintet}
work=$(mktemp -d -p /var/tmp)
chmod 755 "$work"
pids=()
clean() {
    for pid in "${pids[@]}"; do kill -CONT "$pid" 2> /dev/null || true; kill -KILL "$pid" 2> /dev/null || true; done
    wait 2> /dev/null || true
    rm -rf "$work"
}
trap clean EXIT
say() { echo "== $*"; }
fail() { echo "test.sh: $*" >&2; exit 1; }
cd "$work"
if ! command -v promtool > /dev/null; then
    say "promtool"
    apt-get download -qq prometheus > /dev/null 2>&1 || { apt-get update -qq && apt-get download -qq prometheus > /dev/null; }
    dpkg -x prometheus_*.deb prometheus
    PATH=$PATH:$work/prometheus/usr/bin
fi
[ -e /usr/lib/x86_64-linux-gnu/libmicrohttpd.so.12 ] || ldconfig -p | grep -q libmicrohttpd.so.12 \
    || apt-get install -y -qq --no-install-recommends libmicrohttpd12 > /dev/null

say "a training, watched"
"$QUINTET" phantom --out phantoms --count 2 --diseased 1 --spacing 6,5,5 --quiet
"$QUINTET" prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --quiet 2> /dev/null
"$QUINTET" coordinator --state state --listen 127.0.0.1:0 --port-file port --metrics 127.0.0.1:19464 \
    --event-log events.jsonl --quiet & coordinator=$!
pids+=($coordinator)
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
export QUINTET_COORDINATOR=127.0.0.1:$(cat port)
"$QUINTET" worker --cache cache --threads 1 --quiet & pids+=($!)
"$QUINTET" train --data data --run run --replicas 3 --iterations 200 --slab 8 --channels 4,8,8 --checkpoint-seconds 1 \
    --quiet & client=$!
pids+=($client)
page() { curl -sS --max-time 10 "http://127.0.0.1:19464$1"; }
for _ in $(seq 300); do page /metrics | grep -q '^quintet_replica_figure.*loss' && break; sleep 0.2; done
page /metrics > metrics.txt
promtool check metrics < metrics.txt
grep -E '^quintet_(workers\{state="computing"|workers_of_use|checkpoints_total|replica_figure.*"loss")' metrics.txt
while kill -0 $client 2> /dev/null; do page /metrics >> during.txt; sleep 0.5; done
wait $client
page /metrics > after.txt
grep -q '^quintet_results_total 4$' after.txt || fail "three replicas and a calibration are not four results"

say "the board and the alerts name metrics that there are"
python3 "$here/board.py"
git -C "$top" diff --quiet -- cluster/metrics/grafana.json || fail "grafana.json is not what board.py writes"
cat metrics.txt during.txt after.txt | sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' | sort -u > there
grep -oh 'quintet_[a-z_]*' "$here/grafana.json" "$here/alerts.yml" "$top"/cluster/kubernetes/*/*.yaml | sort -u \
    | grep -v '^quintet_volumes' > named
# Of volumes there is a rate while an archive runs; of refusals only where there were any.
comm -13 there named | grep -vE '^quintet_(run_volumes_per_second|refusals_total)$' && fail "nobody has these metrics"
echo "$(wc -l < there) metrics, $(wc -l < named) of them on the board or in alerts"
promtool check rules "$here/alerts.yml"
(cd "$here" && promtool test rules alerts.test.yml)
(cd "$here" && promtool check config prometheus.yml)

say "events, as lines of JSON"
python3 - events.jsonl << 'EOF'
import collections, json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
ids = [event["id"] for event in events]
assert ids == sorted(set(ids)) and ids[0] == 1, "an event is missing, or comes twice"
print(dict(collections.Counter(event["kind"] for event in events)))
EOF

say "a coordinator that stands still"
[ "$(page /health)" = ok ] || fail "it is not well"
kill -STOP "$coordinator"
# The whole process stands still: nobody answers, which is what a probe's time limit is for.
curl -s --max-time 2 http://127.0.0.1:19464/health && fail "a process that stands still says that it is well"
kill -CONT "$coordinator"
[ "$(page /health)" = ok ] || fail "it is not well again"
say "passed"
