#!/usr/bin/env python3
"""peer.py REFERENCE.py RUN OUT CT MASK [CT MASK]...: the reference program's `segment` for a list of CTs in one process,
its models loaded once, with the weights, grid and threshold of a run of preset demo. Prints a JSON line: seconds of the
whole list, without the imports, and of its parts. Needs torch, monai, nibabel, scipy and safetensors; THREADS, 2."""

import importlib.util
import json
import os
import sys
import time

import nibabel
import numpy
import torch
from safetensors.torch import load_file

spec = importlib.util.spec_from_file_location("reference", sys.argv[1])
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)
run, out, files = sys.argv[2], sys.argv[3], sys.argv[4:]
torch.set_num_threads(int(os.environ.get("THREADS", "2")))
configuration = json.load(open(f"{run}/run.json"))["configuration"]
preset = configuration["preset"]
grid = [preset["spacing"][axis] for axis in ("zMM", "yMM", "xMM")]
plane = [configuration["planeHeight"], configuration["planeWidth"]]
# 9 and 7 voxels of the paper's grid on this one, odd.
kernels = [tuple(max(1, round((size / spacing * paper - 1) / 2) * 2 + 1)
                 for spacing, paper in zip(grid, reference.PAPER)) for size in (9, 7)]
os.makedirs(out, exist_ok=True)


def network(number):
    net = reference.build_network(tuple(preset["channels"]), preset["residualUnits"])
    net.load_state_dict(load_file(f"{run}/replica-{number}.safetensors"))
    return net.eval()


start, parts = time.perf_counter(), {"load": 0.0, "prepare": 0.0, "infer": 0.0, "finish": 0.0, "write": 0.0}


def lap(part, since):
    now = time.perf_counter()
    parts[part] += now - since
    return now


now = time.perf_counter()
nets = [network(number) for number in range(5)]
now = lap("load", now)
for number, (ct, mask) in enumerate(zip(files[::2], files[1::2])):
    volume = reference.prepare(ct, mask, grid, plane, training=False)
    now = lap("prepare", now)
    votes = [reference.healthy_probability(net, volume["H"], volume["M"], preset["slabDepth"]) for net in nets]
    healthy = reference.vote(votes, configuration["healthyThreshold"])
    now = lap("infer", now)
    answer = reference.to_file_grid(reference.post_process(healthy, volume["H"], volume["M"], kernels)[1], volume)
    now = lap("finish", now)
    image, canonical, _, _ = reference.load_canonical(ct)
    back = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(canonical.affine), nibabel.io_orientation(image.affine))
    array = nibabel.orientations.apply_orientation(answer.transpose(2, 1, 0).astype(numpy.uint8), back)
    nibabel.save(nibabel.Nifti1Image(array, image.affine), f"{out}/{number}.nii.gz")
    now = lap("write", now)
seconds = time.perf_counter() - start
print(json.dumps({"count": len(files) // 2, "seconds": round(seconds, 2),
                  "anHour": round(3600 * len(files) / 2 / seconds), **{key: round(value, 2) for key, value in parts.items()}}))
