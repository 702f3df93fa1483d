"""Goldens of the connected components: python3 make_components.py (needs numpy and scipy).

components.bin, little-endian: int32 case count; for each case int32 depth, height, width, full (0 or 1), count;
uint16 labels[voxels] (the mask is labels != 0).
"""
import os

import numpy as np
import scipy.ndimage as nd

SHAPES = [(1, 1, 1), (1, 1, 70), (3, 5, 7), (5, 6, 64), (7, 5, 65), (20, 5, 33)]


def main():
    rng = np.random.default_rng(1)
    cases = [(shape, share, full) for shape in SHAPES for share in (0.12, 0.3, 0.6) for full in (0, 1)]
    with open(os.path.join(os.path.dirname(__file__), "components.bin"), "wb") as out:
        out.write(np.int32(len(cases)).tobytes())
        for shape, share, full in cases:
            labels, count = nd.label(rng.random(shape) < share, np.ones((3, 3, 3)) if full else None)
            out.write(np.array([*shape, full, count], "<i4").tobytes())
            out.write(labels.astype("<u2").tobytes())


main()
