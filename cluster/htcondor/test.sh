#!/usr/bin/env bash
# quintet-worker.submit under a real HTCondor of one machine, in a bare Debian 13 (Debian 12 has none): workers are
# vacated and removed while they train, one with a wrong token is held, and the replicas must have the bytes of an
# undisturbed run. In a network, host name and processes of its own. Needs root and the network; a gigabyte of disk.
#     cluster/htcondor/test.sh
# ROOT: a root of Debian 13 with the package condor, to use in place of a new one.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
quintet=${QUINTET:-$top/.build/release/quintet}
[ "$(id -u)" = 0 ] || { echo "test.sh: needs root" >&2; exit 1; }
[ -x "$quintet" ] || { echo "test.sh: no $quintet: make build, or set QUINTET" >&2; exit 1; }

if [ "${1:-}" != inside ]; then
    work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
    trap 'rm -rf --one-file-system "$work"' EXIT
    root=${ROOT:-$work/root}
    if [ ! -x "$root/usr/sbin/condor_master" ]; then
        echo "== a bare trixie with HTCondor"
        command -v debootstrap > /dev/null || apt-get install -y -qq debootstrap > /dev/null
        debootstrap --variant=minbase trixie "$root" > "$work/log" 2>&1 || { tail -5 "$work/log" >&2; exit 1; }
        cp /etc/resolv.conf "$root/etc/resolv.conf" 2> /dev/null || true
        printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
        chmod 755 "$root" "$root/usr/sbin/policy-rc.d"
        chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get install -y -qq \
            --no-install-recommends condor libniftiio2 libsqlite3-0 libssl3t64 > "$work/log" 2>&1 || { tail -5 "$work/log" >&2; exit 1; }
    fi
    mkdir -p "$work/lab"
    chmod 755 "$work"
    cp "$quintet" "$work/lab/quintet"
    cp "$top/cluster/htcondor/quintet-worker.submit" "$work/lab/"
    # Mounts end with the namespace.
    unshare --mount --net --uts --pid --fork --kill-child \
        env LAB="$work/lab" NEWROOT="$root" QUINTET="$quintet" "$0" inside
    exit
fi

hostname quintet-node
ip link set lo up
for place in proc dev sys; do mount --rbind "/$place" "$NEWROOT/$place"; done
mount -t proc proc "$NEWROOT/proc"
mkdir -p "$NEWROOT/home/lab"
mount --bind "$LAB" "$NEWROOT/home/lab"
printf '127.0.0.1 localhost quintet-node\n' > "$LAB/hosts"
mount --bind "$LAB/hosts" "$NEWROOT/etc/hosts"
chroot "$NEWROOT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 ITERATIONS="${ITERATIONS:-400}" \
    bash -euo pipefail -s << 'SCRIPT'
cd /home/lab
say() { echo "== $*"; }
as() { setpriv --reuid lab --regid lab --init-groups env HOME=/home/lab CONDOR_CONFIG=$CONDOR_CONFIG "$@"; }
fail() {
    echo "test.sh: $*" >&2
    as condor_q >&2 || true
    tail -n 5 /home/lab/jobs/*.log /home/lab/jobs/*.events /home/lab/local/log/StarterLog.* >&2 || true
    exit 1
}
# A job is nobody's who is root.
id lab > /dev/null 2>&1 || useradd --no-create-home --home-dir /home/lab lab
export CONDOR_CONFIG=/home/lab/condor_config
mkdir -p local/{log,spool,execute,lock,run} jobs
cat > condor_config << CONFIG
CONDOR_HOST = 127.0.0.1
NETWORK_INTERFACE = 127.0.0.1
LOCAL_DIR = /home/lab/local
LOG = /home/lab/local/log
SPOOL = /home/lab/local/spool
EXECUTE = /home/lab/local/execute
LOCK = /home/lab/local/lock
RUN = /home/lab/local/run
RELEASE_DIR = /usr
LIBEXEC = /usr/libexec/condor
use ROLE : CentralManager, Submit, Execute
COLLECTOR_HOST = 127.0.0.1:9618
SEC_DEFAULT_AUTHENTICATION_METHODS = FS
ALLOW_READ = *
ALLOW_WRITE = *
ALLOW_DAEMON = *
ALLOW_ADMINISTRATOR = *
ALLOW_NEGOTIATOR = *
SEC_DAEMON_AUTHENTICATION = OPTIONAL
SEC_NEGOTIATOR_AUTHENTICATION = OPTIONAL
NUM_CPUS = 16
MEMORY = 64000
DISCARD_SESSION_KEYRING_ON_STARTUP = False
USE_PROCD = False
CREATE_LOCKS_ON_LOCAL_DISK = False
BASE_CGROUP =
MOUNT_UNDER_SCRATCH =
USE_CLONE_TO_CREATE_PROCESSES = False
NEGOTIATOR_INTERVAL = 3
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_CYCLE_DELAY = 1
SCHEDD_INTERVAL = 3
UPDATE_INTERVAL = 5
PERIODIC_EXPR_INTERVAL = 5
CONFIG
chown -R lab /home/lab/jobs
chown -R condor local
condor_master
for _ in $(seq 150); do
    condor_status -af Name 2> /dev/null | grep -q slot && condor_q > /dev/null 2>&1 && break
    sleep 0.4
done
condor_status -af Name | grep -q slot || fail "no slot: $(tail -n 3 local/log/MasterLog local/log/StartLog)"
say "$(condor_version | head -1)"

say "the undisturbed run"
cp quintet quintet-worker.submit jobs/
chown lab jobs/*
cd jobs
as ./quintet phantom --out phantoms --count 2 --diseased 1 --spacing 6,5,5 --quiet
as ./quintet prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --quiet
train=(train --data data --replicas 3 --iterations "$ITERATIONS" --slab 8 --channels 4,8,8
    --checkpoint-seconds 2 --quiet)
as ./quintet "${train[@]}" --run calm

say "the same under HTCondor"
as ./quintet token new cluster.token > /dev/null
export QUINTET_COORDINATOR=127.0.0.1:7311 QUINTET_TOKEN_FILE=/home/lab/jobs/cluster.token
as ./quintet coordinator --state state --listen 127.0.0.1:7311 --quiet 2> ../coordinator.log &
for _ in $(seq 50); do as ./quintet status > /dev/null 2>&1 && break; sleep 0.2; done
as ./quintet "${train[@]}" --run storm & client=$!
workers() { as ./quintet status --json 2> /dev/null | grep -o '"isConnected":true' | wc -l; }
until_workers() {
    for _ in $(seq 240); do [ "$(workers || echo 0)" = "$1" ] && return; sleep 0.5; done
    fail "there are $(workers) workers, not $1"
}
running() { kill -0 $client 2> /dev/null || fail "the training ended before it was disturbed: more ITERATIONS"; }
# Three times 20 GB may not be free here.
small=(-append 'request_disk = 1GB' -append 'request_memory = 1GB')
as condor_submit -terse "${small[@]}" quintet-worker.submit coordinator=127.0.0.1:7311 count=3
until_workers 3; running
say "one is vacated"
as condor_vacate_job 1.0
until_workers 2
until_workers 3; running
[ "$(as condor_q 1.0 -af NumJobStarts)" = 2 ] || fail "the vacated one did not start again"
say "one is removed"
as condor_rm 1.1
until_workers 2; running
wait $client || fail "the training failed"
for replica in 0 1 2; do cmp calm/replica-$replica.safetensors storm/replica-$replica.safetensors; done
say "a wrong token"
mkdir wrong && cp quintet quintet-worker.submit wrong/ && chown -R lab wrong && cd wrong
as ../quintet token new cluster.token > /dev/null
as condor_submit -terse "${small[@]}" quintet-worker.submit coordinator=127.0.0.1:7311 count=1
for _ in $(seq 120); do [ "$(as condor_q 2.0 -af JobStatus)" = 5 ] && break; sleep 0.5; done
as condor_q 2.0 -af HoldReason
[ "$(as condor_q 2.0 -af JobStatus)" = 5 ] || fail "it was not held"
grep -q 'does not take this worker' 2.0.log || fail "its log does not say why"
as condor_rm 2.0
cd ..
say "told to leave, they are done"
for name in condor-1-0 condor-1-2; do as ./quintet drain $name; done
for _ in $(seq 120); do [ -z "$(as condor_q -af ClusterId)" ] && break; sleep 0.5; done
[ -z "$(as condor_q -af ClusterId)" ] || fail "jobs are left"
as condor_history -af:j ExitCode ExitBySignal RemoveReason
condor_off -master > /dev/null 2>&1 || true
say "passed: three replicas have the undisturbed run's bytes"
SCRIPT
