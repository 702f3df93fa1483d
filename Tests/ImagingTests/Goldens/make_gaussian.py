#!/usr/bin/env python3
"""gaussian.json: scipy.ndimage.gaussian_filter at some voxels of a field that the test can make itself."""
import json
import os

import numpy as np
import scipy.ndimage as nd

SHAPE = (40, 36, 50)
CASES = [((0.5, 0.5, 0.5), "reflect", 4), ((0.8, 1.25, 2.0), "reflect", 4), ((2.9, 2.5, 0), "constant", 4),
         ((1.5, 1.5, 1.5), "reflect", 3), ((3.0, 3.0, 3.0), "reflect", 4), ((5.0, 7.3, 1.0), "reflect", 4),
         ((4.2, 4.2, 4.2), "constant", 4), ((10.0, 8.0, 12.5), "reflect", 4), ((20.0, 20.0, 20.0), "reflect", 4),
         ((16.0, 20.0, 20.0), "constant", 4)]


def field():
    """A hash of the index, in [0, 1), and a bright box in a corner."""
    i = np.arange(np.prod(SHAPE), dtype=np.uint32)
    h = i * np.uint32(2654435761)
    h ^= h >> np.uint32(15)
    h *= np.uint32(2246822519)
    h ^= h >> np.uint32(13)
    f = ((h >> np.uint32(8)) / 2.0 ** 24).reshape(SHAPE)
    f[:20, 5:15, :12] += 2
    return f


if __name__ == "__main__":
    f = field()
    places = np.sort(np.random.default_rng(1).choice(f.size, 150, replace=False))
    cases = []
    for sigma, mode, truncate in CASES:
        g = nd.gaussian_filter(f, sigma, mode=mode, truncate=truncate)
        cases.append(dict(sigma=sigma, mode=mode, truncate=truncate, spread=round(float(g.std()), 8),
                          values=[round(float(v), 6) for v in g.ravel()[places]]))
    with open(os.path.join(os.path.dirname(__file__), "gaussian.json"), "w") as out:
        json.dump(dict(shape=SHAPE, places=places.tolist(), cases=cases), out)
