#!/usr/bin/env bash
# What the judge says of a whole road: Tests/Judge/make_road.sh FOLDER
# Makes phantoms, prepares, trains, segments and evaluates with the program (QUINTET, default .build/release/quintet),
# as `aRoadWithADeathOnTheWayHasTheFiguresThatTheJudgeFinds` does, then has judge_road.py compute everything again from
# the files. PYTHON has numpy, scipy, nibabel, torch, monai and safetensors. FOLDER/judged.json is what goes to
# Tests/Judge/Goldens/road/judged.json, once all verdicts are equal.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
quintet=$(realpath "${QUINTET:-$here/../../.build/release/quintet}")
mkdir -p "$1"
cd "$1"
grid=(--preset demo --spacing 6,5,5 --plane 40,64)
network=(--slab 8 --channels 8,16 --strides 2 --batch 2)
"$quintet" phantom --out phantoms --count 2 --diseased 2 --spacing 4,3.2,3.2 --quiet
"$quintet" prepare phantoms/healthy --masks phantoms/lungs --out data "${grid[@]}" --quiet
"$quintet" train --data data --run run --replicas 3 --iterations 60 --learning-rate 3e-3 --seed 3 "${network[@]}" --quiet
"$quintet" segment --run run --in phantoms/diseased --masks phantoms/lungs --out masks --members --quiet
"$quintet" evaluate --pred masks --truth phantoms/lesions --run run --ct phantoms/diseased --json --quiet > evaluate.json
"$quintet" lesions --data data --out pairs --count 4 --seed 3 --slab 8 --batch 2 --quiet
"$quintet" lesions --calibration --data data --out calibration --seed 3 --slab 8 --quiet
# Two iterations of one replica, from which its losses and Adam's steps are computed again in PyTorch.
steps=(--replicas 1 --iterations 2 --threshold 0.5 --seed 3 "${network[@]}" --quiet)
"$quintet" train --data data --run frozen --learning-rate 0 "${steps[@]}"
"$quintet" train --data data --run stepped --learning-rate 3e-3 "${steps[@]}"
"${PYTHON:-python3}" "$here/judge_road.py" .
