"""Goldens without a volume: tables of sizes, places, slabs and thresholds, ties included."""

import fractions
import math
import random

import calibration
import ensemble
import postprocessing
import voxels


def slab_plans():
    table = []
    for depth, first, end, slab_depth in (
            (7, 0, 7, 8), (8, 0, 8, 8), (9, 0, 9, 8), (16, 0, 16, 8), (37, 7, 29, 8), (29, 3, 27, 8), (40, 30, 38, 8),
            (40, 33, 40, 8), (40, 0, 3, 8), (40, 12, 13, 8), (40, 10, 24, 8), (40, 10, 25, 8), (40, 10, 31, 8),
            (100, 5, 96, 32), (300, 20, 280, 32), (33, 0, 33, 32), (56, 0, 56, 32), (57, 0, 57, 32), (5, 1, 4, 32),
            (64, 0, 64, 16), (47, 3, 45, 16), (30, 2, 29, 1), (30, 2, 29, 2), (30, 2, 29, 3)):
        firsts = ensemble.first_slices(depth, first, end, slab_depth)
        table.append({"depth": depth, "lungFirst": first, "lungEnd": end, "slabDepth": slab_depth,
                      "firstSlices": firsts, "totalWeights": ensemble.total_weights(depth, firsts, slab_depth)})
    return table


def boxes():
    spacings = [(1.0, 0.8, 0.8), (2.0, 1.6, 1.6), (3.0, 2.4, 2.4), (6.0, 5.0, 5.0), (0.5, 0.4, 0.4), (0.7, 0.65, 0.9),
                (5.0, 0.7, 0.7), (1.25, 0.9, 0.75), (0.03, 0.03, 0.02), (2.25, 1.8, 1.8), (1.75, 1.4, 1.4),
                (9.0, 7.2, 3.6), (4.5, 3.6, 1.2)]
    return [{"spacing": spacing, "box9": postprocessing.box_size(9, spacing),
             "box7": postprocessing.box_size(7, spacing)} for spacing in spacings]


def windows():
    table = []
    for least, first, end, multiple in ((32, 10, 40, 2), (32, 10, 42, 2), (32, 10, 43, 2), (32, 3, 50, 4),
                                        (32, 0, 5, 16), (48, 1, 44, 2), (96, 17, 130, 16), (40, 7, 12, 4),
                                        (512, 100, 400, 16), (32, 0, 33, 8), (33, 5, 20, 4), (32, 11, 44, 2)):
        size = voxels.window_length(least, first, end, multiple)
        table.append({"least": least, "lungFirst": first, "lungEnd": end, "strideProduct": multiple, "size": size,
                      "start": voxels.window_start(first, end, size)})
    return table


def resampling():
    table = []
    for length, start_mm, end_mm in ((9, 5, 6), (21, 5, 6), (15, 5, 6), (27, 5, 6), (5, 1, 2), (7, 1, 2), (3, 1, 2),
                                     (1, 1, 4), (2, 1, 4), (6, 1, 4), (512, 0.7, 0.8), (512, 0.7, 1.6),
                                     (300, 1, 1), (60, 5, 1), (301, 0.625, 2), (40, 2, 1.999),
                                     (40, 1, 1.999), (40, 1, 1.998), (40, 1, 1.9979),
                                     (44, 4, 6), (25, 3, 7.5), (45, 2, 12)):
        new = voxels.resampled_length(length, start_mm, end_mm)
        table.append({"length": length, "from": start_mm, "to": end_mm, "resampled": new,
                      "samplesInVoxel": voxels.samples_in_voxel(end_mm / start_mm)})
    return table


def nearest():
    """Ties go up. `exact` is by fractions; `halfwayInDoubles` lists places where plain doubles land below a tie."""
    table = []
    for length, new, start_mm, end_mm in ((12, 10, "5", "6"), (44, 37, "5", "6"), (37, 44, "6", "5"),
                                          (29, 44, "6", "4"), (20, 10, "1", "2"), (21, 7, "2", "6"), (16, 5, "2", "6"),
                                          (10, 40, "4", "1"), (40, 10, "1", "4"), (50, 62, "2", "1.6")):
        ratio = fractions.Fraction(end_mm) / fractions.Fraction(start_mm)
        exact = [min(max(math.floor(ratio * voxel + ratio / 2), 0), length - 1) for voxel in range(new)]
        plain = voxels.nearest_places(length, new, float(end_mm) / float(start_mm)).tolist()
        table.append({"length": length, "newLength": new, "from": float(start_mm), "to": float(end_mm), "exact": exact,
                      "halfwayInDoubles": [voxel for voxel in range(new) if exact[voxel] != plain[voxel]]})
    return table


def thresholds():
    draw = random.Random(7)
    lists = [[0.5] * 15, [0.0] * 15, [0.1] * 3 + [0.7] * 4 + [0.3] * 8, [0.9] + [0.1] * 13 + [0.9],
             [0.1 * (place % 5) for place in range(15)], [0.2, 0.6, 0.6, 0.59] + [0.1] * 11,
             [0.1] * 14 + [0.100001]]
    lists += [[round(draw.random(), 1) for _ in range(15)] for _ in range(6)]
    return [{"dice": dice, "threshold": calibration.best_threshold(dice)} for dice in lists]


def slabs_taken():
    table = []
    for count in (1, 3, 8, 9, 15, 16, 17, 100, 1234):
        slabs = [(0, first, 0.9) for first in range(count)]
        table.append({"count": count, "numbers": [slab[1] for slab in calibration.slabs_taken(slabs)]})
    return table


def all_tables():
    return {"slabPlans": slab_plans(), "boxes": boxes(), "windows": windows(), "resampling": resampling(),
            "nearest": nearest(), "thresholds": thresholds(), "calibrationSlabs": slabs_taken()}
