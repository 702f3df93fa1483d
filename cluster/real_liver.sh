#!/usr/bin/env bash
# The liver recipe on one public CT (ircad17 of ../shared/data), as in docs/RESULTS.md: trained on its slices without
# tumour, asked for the tumours in the others. Needs Python with nibabel and numpy ($PYTHON names it).
#     cluster/real_liver.sh OUT            five replicas of preset lab, their vote, Dice and slice AUROC: 13 minutes
#     cluster/real_liver.sh OUT ablation   the paper's Table 2, three replicas of preset demo a row
#     cluster/real_liver.sh OUT lengths    the paper's Fig. 3: stages 2 of other lengths, likewise
# One epoch of so few slices is ten steps, with which nothing is learnt: SEGMENT_EPOCHS (30). PRESET, RESTORE_EPOCHS (60).
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
data=$(cd "$top/../shared/data" && pwd)
out=$1
what=${2:-run}
quintet=${QUINTET:-$top/.build/release/quintet}
restore=${RESTORE_EPOCHS:-60}
segment=${SEGMENT_EPOCHS:-30}
preset=${PRESET:-$([ "$what" = run ] && echo lab || echo demo)}

mkdir -p "$out"/{ct,liver,tumour}
out=$(cd "$out" && pwd)
for kind in ct liver tumour; do ln -sf "$data/ircad17_$kind.nii.gz" "$out/$kind/ircad17.nii.gz"; done
"${PYTHON:-python3}" - "$out" << 'EOF'
import sys
import nibabel
import numpy

out = sys.argv[1]
tumour, liver = (numpy.asarray(nibabel.load(f"{out}/{kind}/ircad17.nii.gz").dataobj) > 0 for kind in ("tumour", "liver"))
with open(f"{out}/slices.csv", "w") as table:
    table.write("name,slice_z,tumour\n")
    for z in range(tumour.shape[2]):
        table.write(f"ircad17,{z},{int(tumour[..., z].any())}\n")
shown = liver.any((0, 1))
print(f"{shown.sum()} slices with liver, {(shown & tumour.any((0, 1))).sum()} of them with tumour")
EOF
"$quintet" prepare "$out/ct" --masks "$out/liver" --leave-out "$out/slices.csv" --recipe liver-restore-segment \
    --preset "$preset" --out "$out/data" --quiet

# NAME, REPLICAS, then what train is told.
try() {
    local run=$out/$1 replicas=$2
    shift 2
    "$quintet" train --data "$out/data" --run "$run" --replicas "$replicas" --restore-epochs "$restore" "$@" --quiet
    "$quintet" segment --run "$run" --in "$out/ct" --masks "$out/liver" --out "$run-masks" --members --quiet
    echo "== $(basename "$run"): $*"
    "$quintet" evaluate --pred "$run-masks" --truth "$out/tumour" --run "$run" --ct "$out/ct" --quiet
}

case $what in
run) try run 5 --segment-epochs "$segment" ;;
ablation)
    try draem 3 --together --restorer autoencoder --anomalies draem
    try two-stages 3 --restorer autoencoder --anomalies draem --segment-epochs "$segment"
    try two-stages-anomalies 3 --restorer autoencoder --segment-epochs "$segment"
    try anomalies-unet 3 --together
    try whole 3 --segment-epochs "$segment"
    ;;
lengths) for epochs in 5 15 30 60 120; do try "length-$epochs" 3 --segment-epochs "$epochs"; done ;;
*) echo "real_liver.sh: there is no '$what'; there are run, ablation, lengths" >&2; exit 2 ;;
esac
