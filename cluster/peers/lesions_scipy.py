"""One training sample with synthetic lesions (docs/METHOD.md), by numpy and scipy.

    python lesions_scipy.py --size 32x512x512 --samples 8

Prints seconds a sample. The same slab, numbers of lesions, radii and noise as `quintet bench lesions`.
"""
import argparse
import json
import time

import numpy as np
from scipy import ndimage


def lungs(size):
    depth, height, width = size
    y, x = np.ogrid[:height, :width]
    v = ((y - 0.5 * height) / (0.29 * height)) ** 2
    halves = [((x - share * width) / (0.166 * width)) ** 2 for share in (0.3125, 0.6875)]
    return np.broadcast_to(np.minimum(*halves) + v < 1, size).copy()


def radii(random, share):
    small, medium = (round(random.uniform(5 * share, 10 * share)) for _ in range(2))
    large = int(random.random() < 0.2 * share)
    ranges = [(3, 10)] * small + [(10, 32)] * medium + [(32, 64)] * large
    return [random.uniform(*limits, 3) for limits in ranges]


def add_ellipsoid(random, lesion, centre, radius):
    """A deformed, turned ellipsoid, computed in its own box."""
    reach = int(radius.max() * 1.4) + 2
    low = np.maximum(centre - reach, 0)
    high = np.minimum(centre + reach + 1, lesion.shape)
    axes = [np.arange(a, b, dtype=np.float32) - c for a, b, c in zip(low, high, centre)]
    places = list(np.meshgrid(*axes, indexing="ij"))
    sigma, amplitude = random.uniform(4, 8), random.uniform(0.1, 0.3) * radius.mean()
    for axis in range(3):
        shift = ndimage.gaussian_filter(random.uniform(-1, 1, places[0].shape).astype(np.float32), sigma)
        places[axis] = places[axis] + shift * np.float32(amplitude / max(np.abs(shift).max(), 1e-9))
    turn = np.linalg.qr(random.standard_normal((3, 3)))[0].astype(np.float32)
    form = sum((sum(turn[row, axis] * places[axis] for axis in range(3)) / np.float32(radius[row])) ** 2
               for row in range(3))
    lesion[tuple(map(slice, low, high))] |= form < 1


def texture(random, inside):
    """B of one lesion; `inside` is the lesion within its box."""
    sigma = random.uniform(2, 20)
    pad = int(3 * sigma)
    noise = random.random([side + 2 * pad for side in inside.shape], dtype=np.float32)
    smooth = ndimage.gaussian_filter(noise, sigma, truncate=3)[tuple(slice(pad, pad + side) for side in inside.shape)]
    upper = lower = 0.0
    while upper - lower <= 0.15:
        upper, lower = random.uniform(0, 0.3, 2)
    probability = (upper - lower) * (smooth - smooth.min()) / (np.ptp(smooth) + 1e-9) + lower
    salt = (random.random(inside.shape, dtype=np.float32) < probability).astype(np.float32)
    blurred = ndimage.gaussian_filter(salt, random.uniform(0.8, 2) if random.random() < 0.7 else random.uniform(2, 5))
    threshold = 0.2
    while threshold > 1e-6 and not (blurred > threshold).any():
        threshold /= 2
    above = blurred[blurred > threshold]
    scale = random.uniform(0.4, 0.8) / above.mean() if above.size else 0
    return np.clip(scale * blurred, 0, 1) * inside


def sample(random, slab, lung, places, share=0.9):
    lesion = np.zeros(slab.shape, bool)
    for radius in radii(random, share):
        add_ellipsoid(random, lesion, places[random.integers(len(places))], radius)
    lesion &= lung
    labels, _ = ndimage.label(lesion)
    image = slab.copy()
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        np.maximum(image[box], texture(random, labels[box] == number), out=image[box])
    image *= lung
    return image, (slab >= 0.33) & ~lesion, lesion


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="32x512x512")
    parser.add_argument("--samples", type=int, default=8)
    arguments = parser.parse_args()
    size = tuple(int(side) for side in arguments.size.split("x"))
    random = np.random.default_rng(1)
    lung = lungs(size)
    slab = (random.random(size, dtype=np.float32) * 0.6 * lung).astype(np.float32)
    places = np.argwhere(lung)
    times, voxels = [], 0
    for number in range(arguments.samples + 1):
        start = time.perf_counter()
        _, _, lesion = sample(random, slab, lung, places)
        if number:
            times.append(time.perf_counter() - start)
            voxels += int(lesion.sum())
    print(json.dumps({"seconds": times, "lesionVoxels": voxels}))


main()
