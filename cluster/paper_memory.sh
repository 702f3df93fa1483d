#!/usr/bin/env bash
# How much memory a step of the paper's setting takes: preset paper, batches of 8 samples of 32x512x512, real training
# samples, the real program. Uses the healthy CT of ../shared/data where it is there, a made-up chest otherwise.
# Prints the planned and the largest real memory of the process; fails at 8 GiB and more.
#     cluster/paper_memory.sh OUT [ITERATIONS [BATCH]]
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
out=$1
iterations=${2:-1}
batch=${3:-8}
quintet=${QUINTET:-$top/.build/release/quintet}
shared=$top/../shared/data

mkdir -p "$out"
if [ ! -e "$out/data/dataset.json" ]; then
    if [ -e "$shared/normal001_ct.nii.gz" ]; then
        mkdir -p "$out/ct" "$out/lungs"
        ln -sf "$(realpath "$shared/normal001_ct.nii.gz")" "$out/ct/normal001.nii.gz"
        ln -sf "$(realpath "$shared/normal001_lung_auto.nii.gz")" "$out/lungs/normal001.nii.gz"
        "$quintet" prepare "$out/ct" --masks "$out/lungs" --out "$out/data" --preset paper
    else
        "$quintet" phantom --out "$out/phantoms" --count 1 --diseased 0 --spacing 1,0.8,0.8
        "$quintet" prepare "$out/phantoms/healthy" --masks "$out/phantoms/lungs" --out "$out/data" --preset paper
    fi
fi
rm -rf "$out/run"
"$quintet" train --data "$out/data" --run "$out/run" --preset paper --replicas 1 --iterations "$iterations" \
    --batch "$batch" 2>&1 | tee "$out/log"
peak=$(sed -n 's/^memory of this process: at most \([0-9]*\) MiB$/\1/p' "$out/log")
[ "$peak" -lt 8192 ] || { echo "$peak MiB are not under 8 GiB"; exit 1; }
