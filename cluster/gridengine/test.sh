#!/usr/bin/env bash
# quintet-worker.sh under a real Grid Engine (Debian's gridengine-master and gridengine-exec) on this machine: workers
# are rescheduled, told that their time ends, and drained, while they train; the replicas must have the bytes of an
# undisturbed run. Grid Engine gets a network, host name and root folder of its own, in namespaces that end with it.
# Needs root; installs the packages where they are missing and leaves nothing running.
#     cluster/gridengine/test.sh
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
export QUINTET=${QUINTET:-$top/.build/release/quintet}
[ "$(id -u)" = 0 ] || { echo "test.sh: needs root" >&2; exit 1; }
[ -x "$QUINTET" ] || { echo "test.sh: no $QUINTET: make build, or set QUINTET" >&2; exit 1; }
if [ "${1:-}" != inside ]; then
    if ! command -v sge_qmaster > /dev/null || ! command -v sge_execd > /dev/null; then
        echo "== installing Grid Engine"
        # Its package would start it at once.
        policy=/usr/sbin/policy-rc.d made=no
        [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' > $policy; chmod +x $policy; made=yes; }
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            gridengine-master gridengine-exec gridengine-client iproute2 > /dev/null || { [ $made = no ] || rm -f $policy; exit 1; }
        [ $made = no ] || rm -f $policy
    fi
    exec unshare --mount --net --uts --pid --fork --kill-child --mount-proc "$0" inside
fi

# A host whose name leads to an address that is not loopback: Grid Engine takes no other.
hostname quintet-node
ip link set lo up
ip address add 10.73.11.1/32 dev lo
work=$(mktemp -d -p /var/tmp)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
printf '127.0.0.1 localhost\n10.73.11.1 quintet-node\n' > "$work/hosts"
mount --bind "$work/hosts" /etc/hosts
say() { echo "== $*"; }
fail() {
    echo "test.sh: $*" >&2
    qstat -f >&2 || true
    tail -n 4 "$work"/spool/*/messages "$work"/spool/*/*/messages "$work"/jobs/*.o* >&2 || true
    exit 1
}

export SGE_ROOT=$work/sge SGE_CELL=default SGE_QMASTER_PORT=6444 SGE_EXECD_PORT=6445 SGE_ND=1
mkdir -p "$SGE_ROOT/default/common" "$work"/spool/{qmaster/job_scripts,database,execd} "$work/jobs"
for part in bin lib util utilbin; do ln -s "/var/lib/gridengine/$part" "$SGE_ROOT/$part"; done
common=default/common
sed -e "s|^spooling_params.*|spooling_params $work/spool/database|" -e "s|^admin_user.*|admin_user root|" \
    -e "s|^qmaster_spool_dir.*|qmaster_spool_dir $work/spool/qmaster|" \
    /var/lib/gridengine/$common/bootstrap > "$SGE_ROOT/$common/bootstrap"
echo quintet-node > "$SGE_ROOT/default/common/act_qmaster"
/usr/share/gridengine/scripts/init_cluster "$SGE_ROOT" default "$work/spool/database" root > "$work/init.log"
sge_qmaster > "$work/master.log" 2>&1 &
for _ in $(seq 50); do qconf -sh > /dev/null 2>&1 && break; sleep 0.2; done
qconf -ah quintet-node > /dev/null || fail "no master: $(cat "$work/master.log")"
qconf -as quintet-node > /dev/null
# Its name says whose configuration it is.
qconf -sconf | sed -e "s|^execd_spool_dir.*|execd_spool_dir $work/spool/execd|" -e "s|^min_uid.*|min_uid 0|" \
    -e "s|^min_gid.*|min_gid 0|" > "$work/global"
qconf -Mconf "$work/global" > /dev/null
sge_execd > "$work/execd.log" 2>&1 &
cat > "$work/queue" << QUEUE
qname quintet.q
hostlist quintet-node
seq_no 0
load_thresholds NONE
suspend_thresholds NONE
nsuspend 1
suspend_interval 00:05:00
priority 0
min_cpu_interval 00:05:00
processors UNDEFINED
qtype BATCH
ckpt_list NONE
pe_list NONE
rerun TRUE
slots 8
tmpdir /tmp
shell /bin/bash
prolog NONE
epilog NONE
shell_start_mode unix_behavior
starter_method NONE
suspend_method NONE
resume_method NONE
terminate_method NONE
notify 00:00:15
owner_list NONE
user_lists NONE
xuser_lists NONE
subordinate_list NONE
complex_values NONE
projects NONE
xprojects NONE
calendar NONE
initial_state default
s_rt INFINITY
h_rt INFINITY
s_cpu INFINITY
h_cpu INFINITY
s_fsize INFINITY
h_fsize INFINITY
s_data INFINITY
h_data INFINITY
s_stack INFINITY
h_stack INFINITY
s_core INFINITY
h_core INFINITY
s_rss INFINITY
h_rss INFINITY
s_vmem INFINITY
h_vmem INFINITY
QUEUE
qconf -Aq "$work/queue" > /dev/null || fail "no queue"
qconf -ssconf | sed -e 's/^schedule_interval.*/schedule_interval 0:0:2/' \
    -e 's/^flush_submit_sec.*/flush_submit_sec 1/' > "$work/scheduler"
qconf -Msconf "$work/scheduler" > /dev/null
for _ in $(seq 100); do qstat -f | grep quintet.q | grep -q -v ' au' && break; sleep 0.3; done
say "$(qstat -help | head -1)"
qstat -f | sed -n 3p

say "the undisturbed run"
cd "$work"
"$QUINTET" phantom --out phantoms --count 2 --diseased 1 --spacing 6,5,5 --quiet
"$QUINTET" prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --quiet
train=(train --data data --replicas 3 --iterations "${ITERATIONS:-400}" --slab 8 --channels 4,8,8
    --checkpoint-seconds 2 --quiet)
"$QUINTET" "${train[@]}" --run calm

say "the same under Grid Engine"
export QUINTET_COORDINATOR=quintet-node:7311 QUINTET_TOKEN_FILE=$work/token
"$QUINTET" token new token > /dev/null
"$QUINTET" coordinator --state state --listen '*:7311' --quiet 2> coordinator.log &
for _ in $(seq 50); do "$QUINTET" status > /dev/null 2>&1 && break; sleep 0.2; done
"$QUINTET" "${train[@]}" --run storm & client=$!
cd jobs
submit() {
    qsub -terse -v QUINTET,QUINTET_COORDINATOR,QUINTET_TOKEN_FILE "$@" "$top/cluster/gridengine/quintet-worker.sh"
}
workers() { "$QUINTET" status --json 2> /dev/null | grep -o '"isConnected":true' | wc -l; }
until_workers() {
    for _ in $(seq 160); do [ "$(workers || echo 0)" = "$1" ] && return; sleep 0.5; done
    fail "there are $(workers) workers, not $1"
}
running() { kill -0 $client 2> /dev/null || fail "the training ended before it was disturbed: more ITERATIONS"; }
array=$(submit -t 1-3)
array=${array%%.*}
until_workers 3; running
say "one is deleted"
qdel "$array.1"
until_workers 2; running
for _ in $(seq 60); do [ "$(qstat | awk -v job="$array" '$1 == job' | wc -l)" != 2 ] || break; sleep 0.5; done
[ "$(qstat | awk -v job="$array" '$1 == job' | wc -l)" = 2 ] || fail "the deleted one is still there: $(qstat)"
say "one is rescheduled by the administrator"
qmod -rj "$array.2"
for _ in $(seq 160); do
    [ "$(grep -c 'serving a coordinator' "quintet-worker.o$array.2")" -lt 2 ] || break
    sleep 0.5
done
until_workers 2; running
say "one whose time ends, told ahead, and that starts again"
short=$(submit -t 4-4 -l s_rt=0:0:12)
short=${short%%.*}
until_workers 3
again=no
for _ in $(seq 160); do
    # Its log has a second start.
    starts=$(grep -c 'serving a coordinator' "quintet-worker.o$short.4" 2> /dev/null || true)
    if [ "${starts:-0}" -ge 2 ]; then again=yes; break; fi
    sleep 0.5
done
[ $again = yes ] || fail "the worker whose time ended did not start again"
wait $client || fail "the training failed"
cd "$work"
for replica in 0 1 2; do cmp calm/replica-$replica.safetensors storm/replica-$replica.safetensors; done
say "told to leave, they are done"
for name in "sge-$array-2" "sge-$array-3"; do "$QUINTET" drain "$name"; done
qdel "$short" > /dev/null
for _ in $(seq 60); do [ -z "$(qstat)" ] && break; sleep 0.5; done
[ -z "$(qstat)" ] || fail "jobs are left"
say "passed: three replicas have the undisturbed run's bytes"
