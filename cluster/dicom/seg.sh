#!/usr/bin/env bash
# DICOM SEG of series that lie in several ways, read back by highdicom, pydicom and dciodvfy: every voxel must be where
# the NIfTI mask has it. A run is trained for it in a minute, unless RUN names one. Needs root (apt), PyPI, and
# `make build dicom`.
#     cluster/dicom/seg.sh [CT.nii.gz]      default: a phantom
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
quintet=${QUINTET:-$top/.build/release/quintet}
[ -x "$quintet" ] || { echo "seg.sh: there is no program $quintet; make build dicom" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for pair in dciodvfy:dicom3tools dcmcjpeg:dcmtk; do
    command -v "${pair%:*}" > /dev/null || apt-get install -y -qq --no-install-recommends "${pair#*:}" > /dev/null
done
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install pydicom numpy nibabel highdicom
cd "$work"
"$quintet" phantom --out phantoms --count 2 --diseased 1 --spacing 4,3,3 --quiet
run=${RUN:-$work/run}
if [ -z "${RUN:-}" ]; then
    "$quintet" prepare phantoms/healthy --masks phantoms/lungs --out data --preset demo --spacing 8,7,7 --plane 32,48 \
        --quiet
    "$quintet" train --data data --run run --quiet --iterations 6 --slab 8 --channels 4,8 --strides 2 \
        --batch 1 --replicas 3 --threshold 0.5
fi
"$work/venv/bin/python" "$here/make_placed.py" "${1:-phantoms/diseased/diseased-00.nii.gz}" cases
"$quintet" segment --run "$run" --in cases --out masks --dicom-seg --quiet
"$work/venv/bin/python" "$here/read_seg.py" cases masks .=Lesions lungs=Lungs
