#!/usr/bin/env bash
# The reduced run on real CT of docs/RESULTS.md: healthy slices of two public chest CTs, five small replicas, the
# patient's volume segmented, masks checked by an independent reader. Needs ../shared/data, and for the last step
# Python with nibabel and numpy ($PYTHON names it).
#     cluster/real_ct.sh OUT [ITERATIONS]
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
data=$(cd "$top/../shared/data" && pwd)
out=$1
iterations=${2:-500}
quintet=${QUINTET:-$top/.build/release/quintet}

mkdir -p "$out/ct" "$out/lungs"
out=$(cd "$out" && pwd)
for name in normal001 P002; do
    ln -sf "$data/${name}_ct.nii.gz" "$out/ct/$name.nii.gz"
    ln -sf "$data/${name}_lung_auto.nii.gz" "$out/lungs/$name.nii.gz"
done

# Slices of P002 with findings are left out; the rest may be learnt as normal.
"$quintet" prepare "$out/ct" --masks "$out/lungs" --leave-out "P002=$data/P002_slices.csv" \
    --out "$out/data" --preset lab --plane 144,208
"$quintet" train --data "$out/data" --run "$out/run" --slab 16 --channels 16,32,64,128 --strides 2,2,2 \
    --residual-units 1 --batch 2 --iterations "$iterations" --learning-rate 0.001
"$quintet" segment --run "$out/run" --in "$out/ct" --masks "$out/lungs" --out "$out/masks" --members
# A threshold that no probability exceeds: nothing is healthy, the row "none".
"$quintet" segment --run "$out/run" --in "$out/ct" --masks "$out/lungs" --out "$out/none" --threshold 1
"${PYTHON:-python3}" "$top/cluster/check_real_ct.py" "$data" "$out"
