"""Goldens of the mean filter: python3 make_box_filters.py (needs numpy and scipy).

box_filters.bin, little-endian: int32 case count; for each case int32 depth, height, width, box z, y, x;
uint8 mask[voxels]; uint16 counts[voxels]; float32 values[voxels]; float32 means[voxels] (uniform_filter in double).
"""
import os

import numpy as np
import scipy.ndimage as nd

CASES = [((1, 1, 1), (3, 3, 3)), ((5, 6, 7), (9, 9, 9)), ((5, 9, 66), (5, 3, 7)), ((9, 35, 9), (7, 7, 7))]


def main():
    rng = np.random.default_rng(2)
    with open(os.path.join(os.path.dirname(__file__), "box_filters.bin"), "wb") as out:
        out.write(np.int32(len(CASES)).tobytes())
        for shape, box in CASES:
            mask = rng.random(shape) < 0.4
            counts = np.rint(nd.uniform_filter(mask.astype(float), box, mode="constant") * np.prod(box))
            values = rng.normal(0, 1, shape).astype("<f4")
            means = nd.uniform_filter(values.astype(float), box, mode="constant")
            out.write(np.array([*shape, *box], "<i4").tobytes())
            out.write(mask.astype(np.uint8).tobytes() + counts.astype("<u2").tobytes())
            out.write(values.tobytes() + means.astype("<f4").tobytes())


main()
