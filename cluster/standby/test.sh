#!/usr/bin/env bash
# `make test-standby`: a coordinator with a standby that has to have everything before it is acknowledged
# (--sync-standby). In the middle of a training, and again of an archive, the coordinator is killed and its state folder
# is gone; the standby takes over, once by the shared folder, once by hand, and the bytes must be those of a calm run.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
export QUINTET=${QUINTET:-$top/.build/release/quintet}
work=$(mktemp -d -p /var/tmp)
pids=()
clean() {
    for pid in "${pids[@]}"; do kill -KILL "$pid" 2> /dev/null || true; done
    wait 2> /dev/null || true
    [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap clean EXIT
say() { echo "== $*"; }
fail() { echo "test.sh: $*" >&2; tail -n 4 "$work"/*.log >&2 || true; exit 1; }
# Milliseconds.
now() { date +%s%3N; }
since() { echo "$((($(now) - $1) / 100))" | sed 's/\(.\)$/.\1/; s/^\./0./'; }
cd "$work"
first=127.0.0.1:17411 second=127.0.0.1:17412 third=127.0.0.1:17413
export QUINTET_TOKEN_FILE=$work/token QUINTET_COORDINATOR=$first,$second,$third

start() { # NAME STATE LISTEN [OPTION ...]
    local name=$1 state=$2 listen=$3
    shift 3
    "$QUINTET" coordinator --state "$state" --listen "$listen" --sync-standby --lease-seconds 6 "$@" >> "$name.log" 2>&1 &
    pids+=($!)
    started=$!
}
await() { # SECONDS TEXT FILE
    for _ in $(seq $(($1 * 10))); do grep -q "$2" "$3" 2> /dev/null && return; sleep 0.1; done
    fail "$3 does not say '$2'"
}
# Iterations of all replicas that are safe, as the coordinator says.
safe() { "$QUINTET" status --json 2> /dev/null | grep -o '"checkpointIteration":[0-9]*' \
        | awk -F: '{ sum += $2 } END { print sum + 0 }'; }

say "a calm run"
"$QUINTET" token new token > /dev/null
"$QUINTET" phantom --out phantoms --count 3 --diseased 24 --spacing 6,5,5 --quiet
"$QUINTET" prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --quiet 2> /dev/null
train=(train --data data --replicas 3 --iterations "${ITERATIONS:-400}" --slab 8 --channels 4,8,8 --checkpoint-seconds 1 --quiet)
QUINTET_COORDINATOR= "$QUINTET" "${train[@]}" --run calm
QUINTET_COORDINATOR= "$QUINTET" segment --run calm --in phantoms/diseased --out calm-answers --quiet 2> /dev/null

say "without a standby nothing is acknowledged, and people hear why"
start first first "$first" --leader-folder shared --takeover-seconds 6
coordinator=$started
await 10 listening first.log
"$QUINTET" "${train[@]}" --run storm > client.log 2>&1 & client=$!
pids+=($client)
await 20 "no standby follows" first.log
[ ! -e storm/replica-0.safetensors ] || fail "a run went on without a standby"

say "the standby follows"
start second second "$second" --follow "$first" --leader-folder shared --takeover-seconds 6
standby=$started
await 20 "everything it keeps is here" second.log
for worker in 1 2; do
    "$QUINTET" worker --name "w$worker" --threads 1 --cache "cache$worker" >> workers.log 2>&1 & pids+=($!)
done
for _ in $(seq 600); do [ "$(safe || echo 0)" -ge 100 ] 2> /dev/null && break; sleep 0.2; done
before=$(safe)
[ "${before:-0}" -ge 100 ] || fail "the training does not go on: $before iterations are safe"

start third third "$third" --follow "$second"
await 20 "trying again" third.log
say "the coordinator and its disk are gone; $before iterations were safe"
kill -KILL "$coordinator"
wait "$coordinator" 2> /dev/null || true
rm -rf first
gone=$(now)
await 60 "takes over" second.log
echo "taken over after $(since "$gone") s, of which 6 s it waits by its settings"
export QUINTET_COORDINATOR=$second
for _ in $(seq 300); do [ "$(safe || echo 0)" -gt "$before" ] 2> /dev/null && break; sleep 0.1; done
after=$(safe)
[ "${after:-0}" -gt "$before" ] || fail "nothing went on: $after after $before"
echo "a new checkpoint was safe $(since "$gone") s after the end of the first"

say "the first one, were it to come back with its old folder, does not lead"
if timeout 30 "$QUINTET" coordinator --state first --listen "$first" --leader-folder shared --takeover-seconds 6 \
    > again.log 2>&1; then fail "it led again"; fi
cat again.log | tail -1
grep -q "everything it keeps is here" third.log || fail "the third does not follow the second"
export QUINTET_COORDINATOR=$second,$third
wait $client || fail "the training failed"
for replica in 0 1 2; do cmp calm/replica-$replica.safetensors storm/replica-$replica.safetensors; done
echo "three replicas have the calm run's bytes"

say "an archive, and the second is killed in the middle of it; the third is promoted by hand"
"$QUINTET" segment --run storm --in phantoms/diseased --out storm-answers --quiet >> archive.log 2>&1 & archive=$!
pids+=($archive)
for _ in $(seq 3000); do [ "$(grep -c 'done: mask' second.log)" -ge 4 ] && break; sleep 0.02; done
kill -0 $archive 2> /dev/null || fail "the archive ended before it was disturbed"
start fourth fourth 127.0.0.1:17414 --follow "$third"
kill -KILL "$standby"
rm -rf second
gone=$(now)
"$QUINTET" promote third
await 30 "takes over" third.log
echo "taken over $(since "$gone") s after the end of the second"
export QUINTET_COORDINATOR=$third
await 30 "everything it keeps is here" fourth.log
echo "the fourth follows $(since "$gone") s after the end of the second"
wait $archive || fail "the archive failed"
for answer in calm-answers/*.nii.gz; do cmp "$answer" "storm-answers/$(basename "$answer")"; done
echo "$(ls calm-answers/*.nii.gz | wc -l) masks have the calm run's bytes"

say "a standby's folder is nobody's to go on from"
kill "$started"
wait "$started" 2> /dev/null || true
if timeout 10 "$QUINTET" coordinator --state fourth --listen 127.0.0.1:0 > again.log 2>&1; then fail "it began"; fi
tail -1 again.log
say "passed"
