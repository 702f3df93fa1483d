#!/usr/bin/env python3
"""lesions.json: statistics of lesions made as method.md A2 says, with numpy and scipy, on a grid of 2.0 x 1.6 x 1.6 mm.

Give `full` to make them at the paper's grid, 32 x 512 x 512, and print them, with the time of a sample."""
import json
import os
import sys
import time

import numpy as np
import scipy.ndimage as nd

FULL = sys.argv[1:] == ["full"]
SHAPE = (32, 512, 512) if FULL else (16, 256, 256)
UNIT = np.array([1.0, 1.0, 1.0]) if FULL else np.array([2.0, 2.0, 2.0])   # paper voxels per voxel
LAMBDA = 0.9


def slab():
    """A hash of the index in [0, 0.6) inside two elliptic cylinders."""
    i = np.arange(np.prod(SHAPE), dtype=np.uint32)
    h = i * np.uint32(2654435761)
    h ^= h >> np.uint32(15)
    h *= np.uint32(2246822519)
    h ^= h >> np.uint32(13)
    y, x = np.mgrid[:SHAPE[1], :SHAPE[2]] * UNIT[1]
    m = ((y - 256) / 150) ** 2 + ((x - 160) / 85) ** 2 < 1
    m |= ((y - 256) / 150) ** 2 + ((x - 352) / 85) ** 2 < 1
    m = np.broadcast_to(m, SHAPE)
    return ((h >> np.uint32(8)) / 2.0 ** 24 * 0.6).reshape(SHAPE).astype(np.float32) * m, m


def shapes(rng, m, inside):
    radii = []
    for low, high in ((3, 10), (10, 32)):
        radii += [rng.uniform(low, high, 3) for _ in range(round(rng.uniform(5 * LAMBDA, 10 * LAMBDA)))]
    if rng.random() < 0.2 * LAMBDA:
        radii.append(rng.uniform(32, 64, 3))
    g = np.zeros(SHAPE, bool)
    for r in radii:
        c = inside[rng.integers(len(inside))]
        reach = np.ceil((r.max() * 1.4 + 2) / UNIT).astype(int)
        lo, hi = np.maximum(c - reach, 0), np.minimum(c + reach + 1, SHAPE)
        axes = [(np.arange(a, b) - q) * u for a, b, q, u in zip(lo, hi, c, UNIT)]
        p = list(np.meshgrid(*axes, indexing="ij"))
        sigma, amplitude = rng.uniform(4, 8), rng.uniform(0.1, 0.3) * r.mean()
        for k in range(3):
            f = nd.gaussian_filter(rng.uniform(-1, 1, hi - lo).astype(np.float32), sigma / UNIT, truncate=3)
            p[k] = p[k] + f * (amplitude / max(np.abs(f).max(), 1e-9))
        q, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        norm = sum(((q[k, 0] * p[0] + q[k, 1] * p[1] + q[k, 2] * p[2]) / r[k]) ** 2 for k in range(3))
        g[tuple(slice(a, b) for a, b in zip(lo, hi))] |= norm < 1
    return g & m


def texture(rng, shape):
    sigma = rng.uniform(2, 20) / UNIT
    pad = np.ceil(3 * sigma).astype(int)
    a2 = nd.gaussian_filter(rng.random(np.array(shape) + 2 * pad, dtype=np.float32), sigma, truncate=3)
    a2 = a2[tuple(slice(p, p + n) for p, n in zip(pad, shape))]
    while True:
        upper, lower = rng.uniform(0, 0.3, 2)
        if upper - lower > 0.15:
            break
    a = (upper - lower) * (a2 - a2.min()) / max(a2.max() - a2.min(), 1e-9) + lower
    b1 = (rng.random(shape, dtype=np.float32) < a).astype(np.float32)
    b2 = nd.gaussian_filter(b1, rng.uniform(0.8, 2) if rng.random() < 0.7 else rng.uniform(2, 5))
    mu, threshold = rng.uniform(0.4, 0.8), 0.2
    if b2.max() <= 0:
        return b2
    while not (b2 > threshold).any():
        threshold /= 2
    return np.clip(mu / b2[b2 > threshold].mean() * b2, 0, 1)


def sample(rng, h, m, inside):
    g = shapes(rng, m, inside)
    labels, count = nd.label(g)
    a = h.copy()
    for j, box in enumerate(nd.find_objects(labels)):
        b = texture(rng, [s.stop - s.start for s in box]) * (labels[box] == j + 1)
        np.maximum(a[box], b, out=a[box])
    a *= m
    target = (h >= 0.33) & ~g
    return dict(share=g.sum() / m.sum(), components=count, mean=a[g].mean(), spread=a[g].std(),
                bright=(a[g] >= 0.33).mean(), target=target.sum() / m.sum())


if __name__ == "__main__":
    h, m = slab()
    inside = np.argwhere(m)
    count, start = (120 if FULL else 600), time.perf_counter()
    rows = [sample(np.random.default_rng([1, i]), h, m, inside) for i in range(count)]
    out = {k: dict(mean=round(float(np.mean([r[k] for r in rows])), 6),
                   error=round(float(np.std([r[k] for r in rows], ddof=1) / count ** 0.5), 6)) for k in rows[0]}
    print(json.dumps(out, indent=1), "%.3f s a sample" % ((time.perf_counter() - start) / count))
    if not FULL:
        with open(os.path.join(os.path.dirname(__file__), "lesions.json"), "w") as f:
            json.dump(out, f, indent=1)
