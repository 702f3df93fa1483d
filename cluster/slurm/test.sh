#!/usr/bin/env bash
# `make test-slurm`: a real Slurm on this machine (slurmctld, slurmd and munged of Debian's slurm-wlm), and under it a
# training whose workers are cancelled, requeued, pre-empted and run out of time, and whose coordinator is requeued; its
# replicas must have the bytes of an undisturbed run. Needs root; installs slurm-wlm and munge where they are missing,
# and leaves nothing running.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
export QUINTET=${QUINTET:-$top/.build/release/quintet}
[ "$(id -u)" = 0 ] || { echo "test.sh: slurmd needs root" >&2; exit 1; }
if ! command -v slurmctld > /dev/null || ! command -v munged > /dev/null; then
    echo "== installing slurm-wlm and munge"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge > /dev/null
fi
work=$(mktemp -d -p /var/tmp)
chmod 755 "$work"
slurm=$top/cluster/slurm/quintet-slurm
pids=()
clean() {
    scancel --user root 2> /dev/null || true
    sleep 1
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    wait 2> /dev/null || true
    [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap clean EXIT
say() { echo "== $*"; }
fail() { echo "test.sh: $*" >&2; squeue >&2 || true; tail -n 5 "$work"/lab/coordinator.log "$work"/lab/logs/* >&2 || true; exit 1; }

say "Slurm $(slurmctld -V | cut -d' ' -f2)"
host=$(hostname -s)
mkdir -p "$work"/{state,spool,log,munge}
chown munge "$work/munge"; chmod 711 "$work/munge"
[ -f /etc/munge/munge.key ] || mungekey -c -f
munged=$work/munge/socket
runuser -u munge -- munged --foreground --key-file /etc/munge/munge.key --socket "$munged" --pid-file "$work/munge/pid" \
    --log-file "$work/munge/log" --seed-file "$work/munge/seed" > "$work/log/munged" 2>&1 &
pids+=($!)
# More processors than there are: what counts is who comes and goes.
cat > "$work/slurm.conf" << EOF
ClusterName=quintet
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$munged,cred_expire=15
CredType=cred/munge
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/log/slurmctld
SlurmdLogFile=$work/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
SchedulerParameters=sched_interval=2,bf_interval=2
KillWait=20
MinJobAge=60
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000
PartitionName=normal Nodes=$host Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=15 MaxTime=60
PartitionName=urgent Nodes=$host PriorityTier=10 PreemptMode=OFF MaxTime=60
EOF
export SLURM_CONF=$work/slurm.conf
for _ in $(seq 50); do [ -S "$munged" ] && break; sleep 0.1; done
slurmctld -D > "$work/log/controller" 2>&1 & pids+=($!)
sleep 1
slurmd -D -N "$host" > "$work/log/daemon" 2>&1 & pids+=($!)
for _ in $(seq 100); do sinfo -h -o %T 2> /dev/null | grep -q idle && break; sleep 0.3; done
sinfo -h -o %T | grep -q idle || fail "Slurm has no idle node: $(tail -3 "$work/log/slurmctld" "$work/log/slurmd")"

say "the undisturbed run"
cd "$work"
"$QUINTET" phantom --out phantoms --count 2 --diseased 1 --spacing 6,5,5 --quiet
"$QUINTET" prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --quiet
train=(train --data data --replicas 3 --iterations "${ITERATIONS:-1500}" --slab 8 --channels 4,8,8 --checkpoint-seconds 2 --quiet)
"$QUINTET" "${train[@]}" --run calm

say "the same under Slurm"
export QUINTET_SLURM_HOST=127.0.0.1
small=(--cpus-per-task=1 --mem=1G)
"$slurm" start lab --mem=1G > /dev/null
[ "$(stat -c %a lab/token)" = 600 ] || fail "the token is not its owner's alone"
"$slurm" run lab "${train[@]}" --run storm & client=$!
pids+=($client)
"$slurm" workers lab 3 "${small[@]}" > array
workers() { [ -s lab/address ] && QUINTET_COORDINATOR=$(cat lab/address) "$QUINTET" status --token-file lab/token --json 2> /dev/null | grep -o '"isConnected":true' | wc -l; }
until_workers() { for _ in $(seq 120); do [ "$(workers || echo 0)" = "$1" ] && return; sleep 0.5; done; fail "there are $(workers) workers, not $1"; }
running() { kill -0 $client 2> /dev/null || fail "the training ended before it was disturbed; give it more ITERATIONS"; }
until_workers 3
QUINTET_COORDINATOR=$(cat lab/address) "$QUINTET" status --token-file lab/token --json \
    | grep -o '"workersOfUse" *: *[0-9]*'
sleep 4; running
say "one is cancelled"
scancel "$(cat array)_1"
until_workers 2; running
say "one is requeued"
scontrol requeue "$(cat array)_2"
until_workers 2; running
say "pre-empted by something urgent that takes the whole node"
sbatch --partition=urgent --exclusive --wrap 'sleep 6' --job-name urgent --output /dev/null > /dev/null
for _ in $(seq 180); do squeue -h -n urgent -t R | grep -q . && break; sleep 0.5; done
squeue -h -n urgent -t R | grep -q . || fail "the urgent job did not begin"
squeue -h -o '%j %T %r' | sort | uniq -c
for _ in $(seq 80); do squeue -h -n urgent | grep -q . || break; sleep 0.5; done
until_workers 2; running
say "as many as are of use"
of_use=$("$slurm" fit lab 3 "${small[@]}")
echo "$of_use"
until_workers "${of_use%% *}"; running
say "a time limit, told ahead"
scancel "$(cat array)_3" 
"$slurm" workers lab 1 "${small[@]}" --time=1 --signal=B:USR1@50 > short
sleep 20
grep -q . <(squeue -h -j "$(cat short)" -o %T) || fail "the worker whose time ended did not queue again"
scontrol show job "$(cat short)" | grep -o 'Restarts=[0-9]*' | head -1
wait $client || fail "the training failed"
say "compared"
for replica in 0 1 2; do cmp calm/replica-$replica.safetensors storm/replica-$replica.safetensors; done
"$slurm" run lab status --history --json | grep -o '"outcome" *: *"[a-z ]*"' | sort | uniq -c
"$slurm" stop lab
for _ in $(seq 60); do [ -z "$(squeue -h)" ] && break; sleep 0.5; done
[ -z "$(squeue -h)" ] || fail "jobs are left"
say "passed: three replicas have the undisturbed run's bytes"
