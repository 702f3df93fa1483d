#!/usr/bin/env bash
# throttle.sh RUN ARCHIVE RATE THREADS: an archive by one worker behind a line of RATE (100mbit), and the share of its
# time that the worker waited: what it computed, of the time from its first answer to its last. Needs root and iproute2;
# leaves nothing behind. QUINTET names the program.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# = 4 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
run=$(realpath "$1") archive=$(realpath "$2") rate=$3 threads=$4
QUINTET=$(realpath "${QUINTET:-$here/../../.build/release/quintet}")
work=$(mktemp -d -p /var/tmp)
net=qt$$
pids=()
clean() {
    kill "${pids[@]}" 2> /dev/null || true
    wait 2> /dev/null || true
    ip netns del "$net-a" 2> /dev/null || true
    ip netns del "$net-b" 2> /dev/null || true
    rm -rf "$work"
}
trap clean EXIT
ip netns add "$net-a"; ip netns add "$net-b"
ip link add "${net}a" netns "$net-a" type veth peer name "${net}b" netns "$net-b"
for side in a b; do
    ip -n "$net-$side" addr add "10.78.0.$([ $side = a ] && echo 1 || echo 2)/24" dev "$net$side"
    ip -n "$net-$side" link set "$net$side" up; ip -n "$net-$side" link set lo up
    ip netns exec "$net-$side" tc qdisc replace dev "$net$side" root tbf rate "$rate" burst 64k latency 200ms
done
cd "$work"
"$QUINTET" token new token > /dev/null 2>&1
ip netns exec "$net-a" "$QUINTET" coordinator --state state --listen '*:7311' --token-file token --quiet & pids+=($!)
sleep 1
ip netns exec "$net-b" "$QUINTET" worker --coordinator 10.78.0.1:7311 --token-file token --cache cache --name remote \
    --threads "$threads" > worker.log 2>&1 & pids+=($!)
ip netns exec "$net-a" "$QUINTET" segment --run "$run" --in "$archive" --out masks --coordinator 127.0.0.1:7311 \
    --token-file token --quiet
python3 - "$work" <<'PY'
import csv, datetime, re, sys
folder = sys.argv[1]
done = [line.split()[0] for line in open(f"{folder}/worker.log") if re.search(r"work \d+ epoch \d+: done", line)]
times = [datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() for time in done]
rows = list(csv.DictReader(open(f"{folder}/masks/archive.csv")))
computed, size = sum(float(row["seconds"]) for row in rows), sum(int(row["bytes"]) for row in rows)
# The log has whole seconds, and the first answer's work was before them.
first = max(float(row["seconds"]) for row in rows)
wall = times[-1] - times[0] + first
print(f"{len(rows)} CTs of {size / len(rows) / 1e6:.1f} MB: computed {computed:.1f} s of {wall:.0f} s, "
      f"waited {100 * max(0, 1 - computed / wall):.0f}%")
PY
