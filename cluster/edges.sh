#!/usr/bin/env bash
# The edges, where real files, folders and people touch the program: runs the cases of ../shared/cases and prints for
# each what is expected and what was found. $PYTHON names a Python with numpy, scipy, nibabel and SimpleITK. The cases
# of a cluster mount small disks and another /etc/hosts for themselves, which root may; others leave them out.
#     cluster/edges.sh OUT
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cases=${CASES:-$top/../shared/cases}
mkdir -p "$1"
out=$(cd "$1" && pwd)
export QUINTET=${QUINTET:-$top/.build/release/quintet} OUT=$out RUN=${RUN:-$out/demo/run} DATA=${DATA:-$top/../shared/data}
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$cases/ct-files
[ -d "$cases" ] || { echo "edges: $cases is not there; nothing was tried" >&2; exit 1; }
[ -e "$RUN/run.json" ] || "$QUINTET" demo --out "$out/demo" --quiet >"$out/demo.txt"
result=0
"${PYTHON:-python3}" "$top/cluster/edges.py" "$cases/ct-files" || result=1

if [ "$(id -u)" -ne 0 ]; then
    echo "the cases of a cluster were left out: they mount disks, which only root may"
    exit $result
fi
rm -rf "$out/cluster"
cp -r "$cases/cluster" "$out/cluster"
chmod -R u+w "$out/cluster"
cp -r "$(dirname "$RUN")/data" "$out/cluster/data"
cd "$out/cluster"
cc -shared -fPIC -o nolock.so nolock.c -ldl

# expect POINT WHAT PATTERN < output
expect() {
    local found
    found=$(grep -aoE -m1 -- "$3" | head -c 110) || true
    printf '%-4s %-6s %-62s %s\n' "$([ -n "$found" ] && echo ok || echo FAIL)" "$1" "$2" "${found:-not found: $3}"
    [ -n "$found" ] || result=1
}

for log in full.log fl/log; do
    timeout 200 unshare -m bash full.sh $log >full.out 2>&1 || true
    expect C1 "a full disk, the log at $log: the coordinator stays" "coordinator alive after 15 s" <full.out
    expect C1 "and the training ends once there is room" "trained 1 replicas" <full.out
    rm -rf fl fullrun fullcache full.port
done
timeout 200 unshare -m bash full2.sh >full2.out 2>&1 || true
expect C1 "a log that ends at a full disk's last block" "coordinator alive after 8 s" <full2.out
rm -rf fl fullrun fullcache
timeout 200 unshare -m bash v6.sh >v6.out 2>&1 || true
expect C8 "--listen on 127.0.1.1 warns" "no other machine reaches" <v6.out
timeout 200 unshare -m bash mv.sh >mv.out 2>&1 || true
expect C4 "a coordinator that moves to another address is found" "trained 1 replicas" <mv.out
for kind in NOFLOCK NOFCNTL; do
    env $kind=1 LD_PRELOAD=./nolock.so timeout 20 "$QUINTET" coordinator --state nolock --listen 127.0.0.1:0 \
        >nolock.out 2>&1 || true
    expect C7 "a state folder without locks ($kind) is refused" "file locks do not work in nolock" <nolock.out
done
env NOFLOCK=1 LD_PRELOAD=./nolock.so timeout 60 "$QUINTET" segment --run "$RUN" --in "$OUT/w/p002" --out nolockmasks \
    --coordinator 127.0.0.1:9 >nolock.out 2>&1 || true
expect C7 "a folder for results needs none" "cannot be reached" <nolock.out
exit $result
