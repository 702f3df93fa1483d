"""Goldens of morphology and distances: python3 make_morphology.py (needs numpy and scipy).

morphology.bin, little-endian: int32 case count; for each case int32 depth, height, width; float64 spacing z, y, x,
ball radius in mm; then bytes, a bit each: 0 mask, 1 dilated by the ball, 2 eroded, 3 opened, 4 closed (on a padded
volume), 5 holes filled, 6 boundary shell, 7 dilated by a box of 3x5x7; then float32 distances to the mask.
"""
import os

import numpy as np
import scipy.ndimage as nd

CASES = [((7, 12, 70), (2.0, 0.7, 0.6), 1.5, 0.6), ((9, 10, 33), (1.0, 1.0, 1.0), 2.0, 0.55),
         ((8, 14, 20), (1.0, 1.5, 2.0), 1.6, 0.4), ((1, 5, 9), (5.0, 1.0, 1.0), 4.0, 0.3)]


def ball(spacing, radius):
    reach = [int(radius / s + 1e-9) for s in spacing]
    z, y, x = np.ogrid[tuple(slice(-r, r + 1) for r in reach)]
    squared = sum((a * s) ** 2 for a, s in zip((z, y, x), spacing))
    return squared <= radius * radius + 1e-9


def main():
    rng = np.random.default_rng(7)
    with open(os.path.join(os.path.dirname(__file__), "morphology.bin"), "wb") as out:
        out.write(np.int32(len(CASES)).tobytes())
        for shape, spacing, radius, share in CASES:
            noise = nd.gaussian_filter(rng.standard_normal(shape), 1.2)
            mask = noise > np.quantile(noise, 1 - share)
            element = ball(spacing, radius)
            pad = max(element.shape)
            closed = nd.binary_closing(np.pad(mask, pad), element)[(slice(pad, -pad),) * 3]
            results = [mask, nd.binary_dilation(mask, element), nd.binary_erosion(mask, element),
                       nd.binary_opening(mask, element), closed, nd.binary_fill_holes(mask),
                       mask & ~nd.binary_erosion(mask, np.ones((3, 3, 3))),
                       nd.binary_dilation(mask, np.ones((3, 5, 7)))]
            packed = sum(r.astype(np.uint8) << i for i, r in enumerate(results)).astype(np.uint8)
            distance = nd.distance_transform_edt(~mask, sampling=spacing).astype("<f4")
            print(shape, [int(r.sum()) for r in results])
            out.write(np.array(shape, "<i4").tobytes() + np.array([*spacing, radius], "<f8").tobytes())
            out.write(packed.tobytes() + distance.tobytes())


main()
