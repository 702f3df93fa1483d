#!/usr/bin/env bash
# Answers rebuilt from the documents alone (docs/rebuild_answer.py), compared voxel by voxel with those of segment: a run
# of phantoms with the preset demo, whose answers to phantoms and to real CTs are made once more in numpy. Needs
# `make build` and PyPI, or a Python with numpy ($PYTHON names it).
#     cluster/formats/rebuild.sh [CT.nii.gz ...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
quintet=${QUINTET:-$top/.build/release/quintet}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" -q install numpy
    python=$work/venv/bin/python
fi
"$quintet" phantom --out "$work/phantoms" --count 6 --diseased 2 --quiet
"$quintet" prepare "$work/phantoms/healthy" --masks "$work/phantoms/lungs" --out "$work/data" --preset demo --quiet
"$quintet" train --data "$work/data" --run "$work/run" --iterations "${ITERATIONS:-300}" --quiet
for ct in "$work"/phantoms/diseased/*.nii.gz "$@"; do
    rm -rf "$work/masks"
    "$quintet" segment --run "$work/run" --in "$ct" --out "$work/masks" --quiet
    echo "$(basename "$ct"):"
    "$python" "$top/docs/rebuild_answer.py" "$work/run" "$ct" "$work/masks/$(basename "$ct")" || different=1
done
exit "${different:-0}"
