"""Goldens of the post-processing: python3 make_post_processing.py (needs numpy and scipy).

The reference of method.md A5 in scipy. post_processing.bin, little-endian: int32 depth, height, width;
uint16 h[voxels] (H = h / 65535); then voxels as bytes, bit 0 healthy, bit 1 lung, and for each of the two kernel
settings (5 and 3, 9 and 7) two more bits: the core E' and the grown answer.
"""
import os

import numpy as np
import scipy.ndimage as nd

FULL = np.ones((3, 3, 3), bool)
TAU = np.float32(0.33)


def mean_filter(volume, size):
    return nd.uniform_filter(np.asarray(volume, np.float64), size, mode="constant")


def post_process(healthy, h, m, kernels):
    bright = (h >= TAU) & ~healthy & m
    count = np.rint(mean_filter(bright, kernels[0]) * kernels[0] ** 3).astype(int)
    full = mean_filter(np.where(~healthy & m, h, 0), kernels[1])
    assert abs(full - 0.15).min() > 1e-6, "a voxel that rounding would decide: take another seed"
    e = (5 * count > kernels[0] ** 3) & m
    g = (full > 0.15) & m
    labels, number = nd.label(g, FULL)
    keep = np.zeros(number + 1, bool)
    keep[labels[e]] = True
    keep[0] = False
    grown = keep[labels]
    assert 0 < e.sum() and 0 < (grown & ~e).sum() and grown.sum() < g.sum(), "the case must tell its parts apart"
    return e, grown


def main():
    rng = np.random.default_rng(6)
    shape = (24, 33, 70)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    m = z ** 2 + y ** 2 + (abs(x) - 0.5) ** 2 * 4 < 0.95
    smooth = sum(nd.gaussian_filter(rng.standard_normal(shape), s) * s ** 1.5 for s in (0.7, 2.5))
    q = np.clip(np.rint(((smooth - smooth.mean()) / smooth.std() * 0.25) * 65535), 0, 65535).astype("<u2")
    h = np.where(m, q.astype(np.float32) / np.float32(65535), np.float32(0))
    healthy = (nd.gaussian_filter(rng.standard_normal(shape), 1.5) > 0.05) | (x > 0.75)
    packed = healthy.astype(np.uint8) | m.astype(np.uint8) << 1
    for index, kernels in enumerate(((5, 3), (9, 7))):
        e, grown = post_process(healthy, h, m, kernels)
        packed |= e.astype(np.uint8) << (2 + 2 * index) | grown.astype(np.uint8) << (3 + 2 * index)
        print(kernels, m.sum(), e.sum(), grown.sum())
    with open(os.path.join(os.path.dirname(__file__), "post_processing.bin"), "wb") as out:
        out.write(np.array(shape, "<i4").tobytes() + np.where(m, q, 0).astype("<u2").tobytes() + packed.tobytes())


main()
