#!/usr/bin/env bash
# `make test-operations`: every step of docs/OPERATIONS.md on this machine, by the scripts beside this one, in the
# middle of trainings whose replicas must end with the bytes of undisturbed ones. Needs root (it mounts, where nobody
# else sees it); installs sqlite3 where it is missing; leaves nothing running.
#     cluster/operations/test.sh [PART ...]      backup move upgrade disk lost alarms; default: all
# ITERATIONS makes the trainings longer where a machine is so fast that they end before they are disturbed. The programs
# of before, for `upgrade`, are built once into .build-operations/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
export QUINTET=${QUINTET:-$top/.build/release/quintet}
[ "$(id -u)" = 0 ] || { echo "test.sh: mounting needs root" >&2; exit 1; }
# Mounts and /etc/hosts of our own, which go when this process does.
[ -n "${QUINTET_TEST_IS_ALONE:-}" ] || QUINTET_TEST_IS_ALONE=1 exec unshare --mount --propagation private "$0" "$@"
if ! command -v sqlite3 > /dev/null || ! command -v ss > /dev/null; then
    echo "== installing sqlite3 and iproute2"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends sqlite3 iproute2 > /dev/null
fi
[ -x "$QUINTET" ] || { echo "test.sh: there is no program $QUINTET; make build" >&2; exit 1; }
work=$(mktemp -d -p /var/tmp)
cd "$work"
pids=()
clean() {
    kill -9 "${pids[@]}" 2> /dev/null || true
    wait 2> /dev/null || true
    umount "$work/small" 2> /dev/null || true
    if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap clean EXIT
say() { echo "== $*"; }
fail() { echo "test.sh: $*" >&2; tail -n 8 "$work"/*.log >&2 || true; exit 1; }
# A command that must fail, and what it must say.
refused() {
    local words=$1; shift
    if "$@" > refused.txt 2>&1; then fail "$* was not refused"; fi
    grep -q "$words" refused.txt || fail "$* does not say '$words': $(cat refused.txt)"
    grep "$words" refused.txt | head -1
}
says() {
    for _ in $(seq 150); do grep -q "$2" "$1" && { grep "$2" "$1" | head -1 | cut -c1-300; return; }; sleep 0.2; done
    fail "$1 does not say '$2'"
}

# Processes by a name; its log is NAME.log.
declare -A is
launch() { local who=$1; shift; "$@" >> "$who.log" 2>&1 & is[$who]=$!; pids+=($!); }
alive() { kill -0 "${is[$1]:-none}" 2> /dev/null; }
end() {
    for who in "$@"; do kill "${is[$who]}" 2> /dev/null || true; wait "${is[$who]}" || true; unset "is[$who]"; done
}
murder() { kill -9 "${is[$1]}"; wait "${is[$1]}" 2> /dev/null || true; unset "is[$1]"; }
ends_well() { wait "${is[$1]}" || fail "$1 failed: $(tail -3 "$1.log")"; unset "is[$1]"; }
ends_badly() { if wait "${is[$1]}"; then fail "$1 ended well"; fi; unset "is[$1]"; }

# coordinator NAME STATE HOST:PORT [PROGRAM]; with port 0, sets `port`.
coordinator() {
    rm -f port
    launch "$1" "${4:-$QUINTET}" coordinator --state "$2" --listen "$3" --port-file port --lease-seconds 5
    for _ in $(seq 100); do [ ! -s port ] || break; alive "$1" || fail "$1 did not start"; sleep 0.1; done
    [ -s port ] || fail "$1 does not listen"
    port=$(cat port)
}
worker() { launch "$1" "${3:-$QUINTET}" worker --coordinator "$2" --name "$1" --threads 1 --cache "cache-$1"; }
status() { "$QUINTET" status --coordinator "${1:-127.0.0.1:$port}" --json "${@:2}" 2> /dev/null | tr -d ' \n'; }
workers() { status "$@" | grep -o '"isConnected":true' | wc -l; }
until_workers() {
    for _ in $(seq 150); do [ "$(workers "${@:2}")" = "$1" ] && return; sleep 0.2; done
    fail "there are $(workers "${@:2}") workers, not $1"
}
# The furthest iteration that is safe.
safe() { status "$@" | grep -o '"checkpointIteration":[0-9]*' | cut -d: -f2 | sort -n | tail -1; }
until_safe() {
    local least=$1; shift
    for _ in $(seq 300); do [ "$(safe "$@" || echo 0)" -ge "$least" ] 2> /dev/null && return; sleep 0.2; done
    fail "no checkpoint of iteration $least"
}
running() { alive "$1" || fail "$1 ended before it was disturbed; give it more ITERATIONS"; }
compare() {
    for replica in 0 1 2; do cmp "calm/replica-$replica.safetensors" "$1/replica-$replica.safetensors"; done
    say "$1 has the calm run's bytes"
}
iterations=${ITERATIONS:-2000}
train() { echo "$1" train --data data --seed "${2:-1}" --replicas "${3:-3}" --iterations "${4:-$iterations}" --slab 8 \
    --channels 2,2 --strides 4 --batch 1 --residual-units 0 --checkpoint-seconds 1; }
export QUINTET_TOKEN_FILE=$work/token
"$QUINTET" token new token > /dev/null

. "$here/test-parts.sh"

say "the undisturbed runs, of $("$QUINTET" --version)"
began=$SECONDS
"$QUINTET" phantom --out phantoms --count 2 --diseased 1 --spacing 6,5,5 --quiet
"$QUINTET" prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --quiet 2> /dev/null
$(train "$QUINTET") --quiet --run calm
$(train "$QUINTET" 2 1 100) --quiet --run calm-second
say "$((SECONDS - began)) s"
for part in ${@:-backup move upgrade disk lost alarms}; do
    part_began=$SECONDS
    "part_$part"
    end "${!is[@]}"
    say "$part: passed in $((SECONDS - part_began)) s"
done
say "passed in $SECONDS s"
