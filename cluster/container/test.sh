#!/usr/bin/env bash
# `make test-containers`: builds the image of cluster/container/Dockerfile with podman from the package that `make dist`
# has made, on a base made by debootstrap (no registry of images is asked), and runs it as a cluster would: another user
# than root, a read-only root, no capabilities. The demo, and a training by workers in containers of which one is
# stopped and one killed; its replicas must have the bytes of an undisturbed run. Then the commands of the Kubernetes manifests,
# in that image. Needs root and the network; installs podman, runc and debootstrap where they are missing, and leaves
# nothing running and no image.
#     cluster/container/test.sh
# BASE: a tarball of a root file system to use in place of debootstrap's.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" = 0 ] || { echo "test.sh: needs root" >&2; exit 1; }
packages=("$top"/dist/quintet_*.deb)
[ -f "${packages[0]}" ] || { echo "test.sh: no package in dist/: make dist" >&2; exit 1; }
missing=()
for tool in podman runc debootstrap; do command -v $tool > /dev/null || missing+=($tool); done
if [ ${#missing[@]} -gt 0 ] || ! [ -e /usr/lib/podman/netavark ]; then
    echo "== installing podman, runc, debootstrap"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends podman runc debootstrap netavark \
        aardvark-dns > /dev/null
fi
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
chmod 755 "$work"
# An engine of its own: none of the machine's images and containers is touched.
engine() {
    podman --runtime runc --root "$work/storage" --runroot "$work/run" --cgroup-manager cgroupfs --log-level error "$@"
}
# With limits of its own, since a container may not be given more than this shell has.
limits=(--ulimit nofile=4096:4096 --ulimit nproc=4096:4096)
confined=("${limits[@]}" --read-only --cap-drop all --security-opt no-new-privileges)
clean() {
    engine rm --all --force --time 0 > /dev/null 2>&1 || true
    engine network rm quintet > /dev/null 2>&1 || true
    engine volume rm --all --force > /dev/null 2>&1 || true
    umount "$work/storage/overlay" 2> /dev/null || true
    [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$work"
}
trap clean EXIT
say() { echo "== $*"; }
fail() {
    echo "test.sh: $*" >&2
    for name in $(engine ps --all --format '{{.Names}}'); do echo "-- $name" >&2; engine logs --tail 5 "$name" >&2; done
    exit 1
}

say "the base"
base=${BASE:-}
if [ -z "$base" ]; then
    debootstrap --variant=minbase bookworm "$work/base" > "$work/base.log" 2>&1 \
        || { tail -5 "$work/base.log" >&2; exit 1; }
    # What Debian's own slim images leave out.
    rm -rf "$work/base"/usr/share/{doc,man,info,locale}/* "$work/base"/var/{lib/apt/lists,cache/apt}/*
    base=$work/base.tar
    tar -C "$work/base" --one-file-system -cf "$base" .
    rm -rf "$work/base"
fi
engine import --quiet "$base" localhost/base > /dev/null

say "the image"
engine build --quiet --network host --isolation chroot --build-arg BASE=localhost/base \
    -f "$top/cluster/container/Dockerfile" -t quintet "$top/dist" > "$work/build.log" 2>&1 \
    || { tail -5 "$work/build.log" >&2; exit 1; }
megabytes() { engine image inspect --format '{{.Size}}' "$1" | awk '{ printf "%.0f MB", $1 / 1e6 }'; }
echo "$(megabytes quintet), of which the base $(megabytes localhost/base);" \
    "compressed $(engine save quintet 2> /dev/null | gzip -c | wc -c | awk '{ printf "%.0f MB", $1 / 1e6 }')"
asks() { [ "$(engine image inspect --format "$1" quintet)" = "$2" ] || fail "the image's $1 is not $2"; }
asks '{{.Config.User}}' 7311:7311
asks '{{.Config.StopSignal}}' SIGTERM
asks '{{json .Config.Entrypoint}}' '["/usr/bin/quintet"]'
engine run "${confined[@]}" --rm --network none quintet --version
# A token is a file of 64 hexadecimal digits, and nothing else in a Debian is.
inside() { engine run "${confined[@]}" --rm --network none --entrypoint /bin/sh "$@"; }
found=$(inside --user 0 --cap-add dac_read_search quintet -c \
    'find / -xdev -type f -size -2 -path "/[!ps]*" -exec grep -lxE "[0-9a-f]{64}" {} + || true')
[ -z "$found" ] || fail "a token is in the image: $found"
[ "$(inside quintet -c 'id -u')" = 7311 ] || fail "not the user it should be"
if inside --user 0 quintet -c 'touch /usr/x' 2> "$work/said"; then fail "its root can be written to"; fi
grep -q 'Read-only file system' "$work/said" || fail "$(cat "$work/said")"

say "the demo"
engine run "${confined[@]}" --rm --network none --volume demo:/var/lib/quintet quintet demo --out demo --quiet
engine run "${confined[@]}" --rm --network none --volume demo:/var/lib/quintet --entrypoint /bin/sh quintet \
    -c 'ls demo && test -s demo/report.html'

say "the undisturbed run"
here=(engine run "${confined[@]}" --rm --volume work:/work --workdir /work)
# A named volume has the owner of what it covers; of this folder there is nothing in the image.
engine run "${limits[@]}" --rm --user 0 --network none --volume work:/work --entrypoint /bin/chown quintet \
    7311:7311 /work
"${here[@]}" --network none quintet phantom --out phantoms --count 2 --diseased 1 --spacing 6,5,5 --quiet
"${here[@]}" --network none quintet prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --quiet
train=(train --data data --replicas 3 --iterations "${ITERATIONS:-600}" --slab 8 --channels 4,8,8
    --checkpoint-seconds 2 --quiet)
"${here[@]}" --network none quintet "${train[@]}" --run calm

say "a coordinator and three workers"
engine network create quintet > /dev/null
"${here[@]}" --network none quintet token new cluster.token
"${here[@]}" --network none --entrypoint /bin/cat quintet cluster.token \
    | engine secret create quintet-token - > /dev/null
# On a read-only root there must be a place for the secret's file to be made in.
secret=(--tmpfs /run/secrets --secret quintet-token,uid=7311,gid=7311,mode=0400
    --env QUINTET_TOKEN_FILE=/run/secrets/quintet-token --env QUINTET_COORDINATOR=coordinator:7311 --network quintet)
engine run "${confined[@]}" "${secret[@]}" --detach --name coordinator --volume state:/var/lib/quintet quintet \
    coordinator --state /var/lib/quintet --listen '*:7311' > /dev/null
worker() {
    engine run "${confined[@]}" "${secret[@]}" --detach --name "$1" --volume "$1:/var/cache/quintet" quintet \
        worker --cache /var/cache/quintet --threads 1 > /dev/null
}
for name in worker-1 worker-2 worker-3; do worker $name; done
client=("${here[@]}" "${secret[@]}")
workers() { "${client[@]}" quintet status --json 2> /dev/null | grep -o '"isConnected":true' | wc -l; }
until_workers() {
    for _ in $(seq 60); do [ "$(workers || echo 0)" = "$1" ] && return; sleep 0.5; done
    fail "there are $(workers) workers, not $1"
}
until_workers 3
"${client[@]}" quintet "${train[@]}" --run storm & training=$!
running() { kill -0 $training 2> /dev/null || fail "the training ended before it was disturbed: more ITERATIONS"; }
sleep 5; running
say "one is stopped, one is killed, the coordinator starts again"
began=$(date +%s%N)
engine stop --time 20 worker-1 > /dev/null
code() { engine inspect --format '{{.State.ExitCode}}' "$1"; }
echo "left in $((($(date +%s%N) - began) / 1000000)) ms with code $(code worker-1)"
[ "$(code worker-1)" = 0 ] || fail "a worker that was stopped did not leave cleanly"
engine kill --signal KILL worker-2 > /dev/null
running
engine restart --time 20 coordinator > /dev/null
[ "$(code coordinator)" = 0 ] || fail "the coordinator did not end cleanly"
running
engine start worker-1 > /dev/null
wait $training || fail "the training failed"
for replica in 0 1 2; do
    "${here[@]}" --network none --entrypoint /usr/bin/cmp quintet calm/replica-$replica.safetensors \
        storm/replica-$replica.safetensors || fail "replica $replica has other bytes"
done

say "as the Kubernetes manifests start them"
# A Secret's file and the volumes of a pod belong to root and to the pod's group.
as_root() { engine run "${limits[@]}" --rm --interactive --user 0 --network none --entrypoint /bin/sh "$@"; }
"${here[@]}" --network none --entrypoint /bin/cat quintet cluster.token \
    | as_root --volume secret:/run/secret --volume token:/run/quintet --volume pod-state:/mnt quintet -c '
        cat > /run/secret/token && chown 0:7311 /run/secret/token && chmod 0440 /run/secret/token
        chown 0:7311 /run/quintet /mnt && chmod 2777 /run/quintet && chmod 2775 /mnt'
if "${here[@]}" --network none --volume secret:/run/secret:ro quintet status --coordinator coordinator:7311 \
    --token-file /run/secret/token 2> "$work/said"; then fail "a token that a group reads was taken"; fi
grep -q 'can be read by others' "$work/said" || fail "$(cat "$work/said")"
manifest=$top/cluster/kubernetes/job/workers.yaml
copies=$(sed -n 's/.*command: \[\/bin\/sh, -c, \(umask.*\)\]$/\1/p' "$manifest")
worker_of_job=$(awk '/^            - \|/ { on = 1; next } /^          env:/ { on = 0 } on' "$manifest")
[ -n "$copies" ] && [ -n "$worker_of_job" ] || fail "$manifest looks otherwise than expected"
engine run "${confined[@]}" --rm --network none --volume secret:/run/secret:ro --volume token:/run/quintet \
    --entrypoint /bin/sh quintet -c "$copies"
engine rm --force --time 20 coordinator > /dev/null
engine run "${confined[@]}" --detach --name quintet-coordinator --network quintet --volume token:/run/quintet:ro \
    --volume pod-state:/var/lib/quintet quintet coordinator --state=/var/lib/quintet/state '--listen=*:7311' \
    --token-file=/run/quintet/token > /dev/null
engine run "${confined[@]}" --detach --name pod --network quintet --env NODE=node --env POD=pod \
    --volume token:/run/quintet:ro --volume pod-cache:/var/cache/quintet --entrypoint /bin/sh quintet \
    -c "$worker_of_job" > /dev/null
ask=("${client[@]}" --env QUINTET_COORDINATOR=quintet-coordinator:7311)
works() {
    for _ in $(seq 60); do
        "${ask[@]}" quintet status --json 2> /dev/null | grep -q '"isConnected":true' && return
        sleep 0.5
    done
    fail "the Job's worker does not come: $(engine logs --tail 3 pod 2>&1)"
}
works
engine stop --time 20 pod > /dev/null
evicted=$(code pod)
[ "$evicted" = 143 ] || fail "evicted, the Job's worker ended with $evicted, not 143"
engine start pod > /dev/null
for _ in $(seq 60); do "${ask[@]}" quintet drain node/pod > /dev/null 2>&1 && break; sleep 0.5; done
drained=$(timeout 30 bash -c "$(declare -f engine); work=$work; engine wait pod")
[ "$drained" = 0 ] || fail "drained, the Job's worker ended with $drained, not 0"
echo "the Job's worker: evicted $evicted, drained $drained"
say "passed: three replicas have the undisturbed run's bytes"
