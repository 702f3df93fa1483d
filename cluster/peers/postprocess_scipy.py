"""Post-processing (docs/METHOD.md) and the vote, by numpy and scipy, on the voxels that quintet bench makes up.

    python postprocess_scipy.py postprocess --size 300x512x512 --samples 2
    python postprocess_scipy.py vote --size 300x512x512 --samples 3

Prints seconds and counts of voxels, which are those of `quintet bench postprocess` and `vote`.
"""
import argparse
import json
import time

import numpy as np
from scipy import ndimage


def noise(size):
    """Slice by slice, the same whole numbers as Sources/quintet/Bench/BenchField.swift."""
    out = np.empty(size, np.float32)
    y, x = np.ogrid[:size[1], :size[2]]
    for z in range(size[0]):
        out[z] = (z * 7919 + y * 104729 + x * 1299709) % 1021 / 1021
    return out


def waves(size, periods):
    """The three directions' waves, ready to be added."""
    axes = np.ogrid[tuple(slice(side) for side in size)]
    return [np.abs(axis % period - period // 2) / (period // 2) for axis, period in zip(axes, periods)]


def patient(size):
    """H, V and M."""
    depth, height, width = size
    z, y, x = np.ogrid[:depth, :height, :width]
    v, w = (y - 0.5 * height) / (0.29 * height), (z - 0.5 * depth) / (0.48 * depth)
    left, right = ((x - share * width) / (0.166 * width) for share in (0.3125, 0.6875))
    lung = np.minimum(left * left, right * right) + v * v + w * w < 1
    a, b, c = waves(size, (60, 84, 72))
    lesion = a + b + c > 2.2
    a, b, c = waves(size, (24, 20, 28))
    vessel = (a + b + c > 2.6) & ~lesion & lung
    rough = noise(size)
    intensity = np.where(lesion, 0.15 + 0.6 * rough, 0.05 * rough).astype(np.float32)
    intensity[vessel] = 0.7
    intensity *= lung
    return intensity, vessel, lung


def postprocess(intensity, healthy, lung):
    unhealthy = lung & ~healthy
    bright = (intensity >= 0.33) & unhealthy
    core = (ndimage.uniform_filter(bright.astype(np.float32), 9, mode="constant") > 0.2) & lung
    full = (ndimage.uniform_filter(intensity * unhealthy, 7, mode="constant") > 0.15) & lung
    labels, count = ndimage.label(full, structure=np.ones((3, 3, 3)))
    touched = np.zeros(count + 1, bool)
    touched[labels[core]] = True
    touched[0] = False
    return core, touched[labels]


def cropped(intensity, healthy, lung):
    """Where the lungs are, and nothing around them. Means near the rim are those of the whole: all is 0 outside."""
    box = []
    for axis in range(3):
        inside = np.flatnonzero(lung.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(inside[0], inside[-1] + 1))
    box = tuple(box)
    answers = []
    for part in postprocess(intensity[box], healthy[box], lung[box]):
        whole = np.zeros(lung.shape, bool)
        whole[box] = part
        answers.append(whole)
    return answers


def seconds(work, samples):
    times, result = [], None
    for _ in range(samples):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return times, result


def vote(probability):
    count = np.zeros(probability.shape, np.uint8)
    for threshold in (0.1, 0.3, 0.5, 0.7, 0.9):
        count += probability > np.float32(threshold)
    return count > 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["postprocess", "vote"])
    parser.add_argument("--size", default="300x512x512")
    parser.add_argument("--samples", type=int, default=2)
    arguments = parser.parse_args()
    size = tuple(int(side) for side in arguments.size.split("x"))
    if arguments.what == "vote":
        probability = noise(size)
        times, healthy = seconds(lambda: vote(probability), arguments.samples)
        print(json.dumps({"seconds": times, "healthyVoxels": int(healthy.sum())}))
        return
    volumes = patient(size)
    times, (core, grown) = seconds(lambda: postprocess(*volumes), arguments.samples)
    crop_times, (crop_core, crop_grown) = seconds(lambda: cropped(*volumes), arguments.samples)
    assert (core == crop_core).all() and (grown == crop_grown).all()
    print(json.dumps({"seconds": times, "croppedSeconds": crop_times, "coreVoxels": int(core.sum()),
                      "grownVoxels": int(grown.sum()), "lungVoxels": int(volumes[2].sum())}))


main()
