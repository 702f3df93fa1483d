"""Goldens of equalisation and plane morphology: python3 make_planes.py (needs numpy and OpenCV).

planes.bin, little-endian.
Ellipses: int32 count; for each int32 size, then size x size bytes of getStructuringElement(MORPH_ELLIPSE).
Masks: int32 count; for each int32 height, width, ellipse size; then bytes, a bit each: 0 mask, 1 opened, 2 closed,
3 opened and then closed by OpenCV.
Equalisation: int32 count; for each int32 pixels, then the bytes before, after, and after with the dark values lifted:
numpy's arithmetic of the liver paper's program (counts divided by their root of squares, then by their sum).
Byte Gaussians: int32 count; for each int32 height, width, float64 sigma; the bytes before and OpenCV's GaussianBlur.
"""
import os

import cv2
import numpy as np


def equalised(pixels, lift):
    counts = np.bincount(pixels, minlength=256).astype(float)
    counts[0] = 0
    size = np.linalg.norm(counts)
    if size == 0:
        return np.zeros_like(pixels)
    shares = counts / size
    shares = shares / np.sum(shares)
    table = np.floor(255 * np.cumsum(shares)).astype(np.uint8)
    if lift:
        dark = (table > 0) & (table < 150)
        table[dark] = np.floor(table[dark] / 150 * 120 + 30)
    return table[pixels]


def main():
    rng = np.random.default_rng(11)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "planes.bin"), "wb") as out:
        sizes = [1, 3, 5, 7, 9, 11, 15, 21]
        out.write(np.int32(len(sizes)).tobytes())
        for size in sizes:
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
            out.write(np.int32(size).tobytes() + kernel.astype(np.uint8).tobytes())

        # Blobs that touch all four borders, in rows of one word, of two and of a part of one.
        cases = [(60, 70, 9), (64, 128, 9), (33, 20, 5), (50, 131, 3), (12, 12, 9)]
        out.write(np.int32(len(cases)).tobytes())
        for height, width, size in cases:
            noise = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), 3.5)
            mask = (noise > np.quantile(noise, 0.6)).astype(np.uint8)
            mask ^= (rng.random(mask.shape) < 0.01).astype(np.uint8)
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
            opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
            results = [mask, opened, cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel),
                       cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel)]
            print(height, width, size, [int(r.sum()) for r in results])
            out.write(np.array([height, width, size], "<i4").tobytes())
            out.write(sum(r << i for i, r in enumerate(results)).astype(np.uint8).tobytes())

        pictures = [rng.normal(150, 25, 2000).clip(0, 255), rng.normal(120, 3, 999).clip(0, 255),
                    rng.integers(0, 256, 3000), np.where(rng.random(500) < 0.5, 200, 0), np.zeros(10),
                    np.repeat([1, 2, 3], [1, 200, 4]), rng.gamma(1.5, 30, 1777).clip(0, 255)]
        out.write(np.int32(len(pictures)).tobytes())
        for picture in pictures:
            pixels = picture.astype(np.uint8)
            print(len(pixels), equalised(pixels, False).max(), equalised(pixels, True).max())
            out.write(np.int32(len(pixels)).tobytes() + pixels.tobytes() + equalised(pixels, False).tobytes()
                      + equalised(pixels, True).tobytes())

        cases = [(96, 100, 7.5), (64, 64, 3.75), (20, 33, 6), (16, 17, 0.9375), (5, 9, 15)]
        out.write(np.int32(len(cases)).tobytes())
        for height, width, sigma in cases:
            noise = rng.integers(0, 256, (height, width)).astype(np.uint8)
            blurred = cv2.GaussianBlur(noise, (0, 0), sigma)
            print(height, width, sigma, blurred.min(), blurred.max())
            out.write(np.array([height, width], "<i4").tobytes() + np.float64(sigma).tobytes())
            out.write(noise.tobytes() + blurred.tobytes())


main()
