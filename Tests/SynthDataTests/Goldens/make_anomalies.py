#!/usr/bin/env python3
"""anomalies.json: statistics of pseudo-anomalies made as method.md B says, with numpy, OpenCV and scipy, in a liver that
is an ellipse with a hole: mean and standard error over SAMPLES samples.

"gaussian" computes in floating point. "uniform-integers" does what the liver paper's program does: bytes, blurred to
bytes, stretched to bytes. "draem" has DRAEM's masks: Perlin noise of 1 to 32 cells an axis, turned, above 0.5."""
import json
import os
import sys

import cv2
import numpy as np
import scipy.ndimage as nd

SAMPLES = 600
SIZE = 256


def liver():
    y, x = np.mgrid[:SIZE, :SIZE]
    mask = ((y - 120) / 62) ** 2 + ((x - 100) / 75) ** 2 < 1
    mask &= ((y - 140) / 12) ** 2 + ((x - 120) / 9) ** 2 >= 1
    return np.where(mask, 40 + (7 * x + 13 * y) % 200, 0).astype(np.uint8)


def mask_of_noise(rng, kind):
    if kind == "gaussian":
        blurred = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)), (0, 0), 15)
    else:
        noise = rng.integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
        blurred = cv2.GaussianBlur(noise, (0, 0), 15).astype(float)
    stretched = (blurred - blurred.min()) / (blurred.max() - blurred.min()) * 255
    if kind != "gaussian":
        stretched = np.floor(stretched)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    result = (stretched > 200).astype(np.uint8)
    for step in (cv2.MORPH_OPEN, cv2.MORPH_CLOSE):
        result = cv2.morphologyEx(result, step, kernel)
    return result > 0


def perlin(rng):
    cells = [2 ** int(rng.integers(0, 6)) for _ in range(2)]
    angles = rng.uniform(0, 2 * np.pi, (cells[0] + 1, cells[1] + 1))
    gradients = np.stack([np.cos(angles), np.sin(angles)], -1)
    grid = np.stack(np.meshgrid(*(np.arange(SIZE) * c / SIZE for c in cells), indexing="ij"), -1)
    cell = grid.astype(int)
    part = grid - cell

    def corner(dy, dx):
        g = gradients[cell[..., 0] + dy, cell[..., 1] + dx]
        return (g * (part - [dy, dx])).sum(-1)

    fade = part ** 3 * (part * (part * 6 - 15) + 10)
    top = corner(0, 0) * (1 - fade[..., 0]) + corner(1, 0) * fade[..., 0]
    end = corner(0, 1) * (1 - fade[..., 0]) + corner(1, 1) * fade[..., 0]
    noise = np.sqrt(2) * (top * (1 - fade[..., 1]) + end * fade[..., 1])
    return nd.rotate(noise, rng.uniform(-90, 90), reshape=False, order=1) > 0.5


def sample(rng, kind, image):
    """Whether a first mask missed the liver; of the first that does not: its share, its components, the mean change."""
    inside, empty = image > 0, 0
    if kind == "draem":
        mask = perlin(rng) & inside
        return {"share": mask.sum() / inside.sum(), "components": nd.label(mask)[1], "missed": float(not mask.any())}
    while True:
        mask = mask_of_noise(rng, kind) & inside
        if mask.any():
            break
        empty += 1
    shift = rng.uniform(60, 100) * rng.choice([-1, 1])
    changed = np.floor(np.clip(image + shift, 0, 255))
    return {"share": mask.sum() / inside.sum(), "components": nd.label(mask)[1], "missed": float(empty > 0),
            "change": np.abs(changed - image)[mask].mean(), "brighter": float(shift > 0)}


def main():
    image, results = liver(), {}
    for kind in ("gaussian", "uniform-integers", "draem"):
        rng = np.random.default_rng(3)
        rows = [sample(rng, kind, image) for _ in range(SAMPLES)]
        results[kind] = {}
        for name in rows[0]:
            values = np.array([row[name] for row in rows], float)
            results[kind][name] = {"mean": values.mean(), "error": values.std(ddof=1) / np.sqrt(SAMPLES)}
        print(kind, {n: round(v["mean"], 4) for n, v in results[kind].items()}, file=sys.stderr)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "anomalies.json"), "w") as out:
        json.dump(results, out, indent=1, sort_keys=True)
        out.write("\n")


main()
