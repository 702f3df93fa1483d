#!/usr/bin/env python3
"""Goldens of the liver recipe: python3 make_liver_slices.py (needs numpy and OpenCV).

liver_slices.json: a small CT by formula (the test has the same formula), made slices as method.md B says with numpy and
OpenCV: clipped, scaled, rounded, cut to the liver, equalised, made smaller or larger with INTER_LINEAR; tumours and the
way back with INTER_NEAREST_EXACT."""
import json
import os

import cv2
import numpy as np

DEPTH, HEIGHT, WIDTH = 9, 64, 48


def hashed(index):
    h = (np.asarray(index, np.uint64) * np.uint64(2654435761) % np.uint64(2 ** 32)).astype(np.uint32)
    h ^= h >> np.uint32(15)
    h = (h.astype(np.uint64) * np.uint64(2246822519) % np.uint64(2 ** 32)).astype(np.uint32)
    return h ^ (h >> np.uint32(13))


def patient():
    z, y, x = np.mgrid[:DEPTH, :HEIGHT, :WIDTH]
    noise = hashed(np.arange(z.size)).reshape(z.shape)
    ct = (noise % np.uint32(160)).astype(int) - 20 + 3 * z + np.where((x + y) % 17 == 0, -400, 0)
    ct = ct + np.where((x * y) % 23 == 1, 300, 0)
    liver = (2 * (y - 30)) ** 2 + (3 * (x - 26)) ** 2 < 3000 - 300 * (z - 4) ** 2
    tumour = liver & ((y - 34) ** 2 + (x - 24) ** 2 < 40) & (z > 3) & (z < 6)
    return ct, liver, tumour


def equalised(pixels, lift):
    counts = np.bincount(pixels.ravel(), minlength=256).astype(float)
    counts[0] = 0
    shares = counts / np.linalg.norm(counts)
    table = np.floor(255 * np.cumsum(shares / np.sum(shares))).astype(np.uint8)
    if lift:
        dark = (table > 0) & (table < 150)
        table[dark] = np.floor(table[dark] / 150 * 120 + 30)
    return table[pixels]


def main():
    ct, liver, tumour = patient()
    slices = [int(z) for z in np.flatnonzero(liver.any((1, 2)))]
    result = {"slices": slices, "cases": []}
    for size, lift in ((32, True), (32, False), (80, True)):
        pixels, tumours, back = [], [], []
        for z in slices:
            grey = np.floor((np.clip(ct[z], -200, 250) + 200) * 255 / 450 + 0.5).astype(np.uint8)
            even = equalised(grey * liver[z].astype(np.uint8), lift).astype(np.float32)
            small = np.floor(cv2.resize(even, (size, size), interpolation=cv2.INTER_LINEAR) + 0.5).astype(np.uint8)
            answer = (hashed(np.arange(size * size) + z) % np.uint32(3) == 0).reshape(size, size).astype(np.uint8)
            pixels.append(small)
            tumours.append(cv2.resize(tumour[z].astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST_EXACT))
            whole = cv2.resize(answer, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST_EXACT) & liver[z]
            # A voxel in the middle between two pixels may take either: rounding decides. Left out.
            for axis, count in ((0, HEIGHT), (1, WIDTH)):
                between = (2 * np.arange(count) + 1) * size % (2 * count) == 0
                whole[tuple([slice(None)] * axis + [between])] = 0
            back.append(whole)
        pixels = np.array(pixels)
        # A digest by place and value, and some rows in full, so that the file stays small.
        weights = (np.arange(pixels.size) % 8191 + 1).reshape(pixels.shape)
        result["cases"].append({
            "size": size, "lift": lift, "rows": pixels[3, ::8].tolist(), "nonzero": int((pixels > 0).sum()),
            "sum": int(pixels.sum()), "tumour": int((np.array(tumours) * weights).sum()),
            "tumourBySlice": [int(t.sum()) for t in tumours],
            "back": int((np.array(back) * (np.arange(np.array(back).size) % 8191 + 1).reshape(-1, HEIGHT, WIDTH)).sum()),
        })
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "liver_slices.json"), "w") as out:
        json.dump(result, out)
        out.write("\n")
    print(slices, [(c["size"], c["nonzero"], c["sum"], c["tumourBySlice"]) for c in result["cases"]])


main()
