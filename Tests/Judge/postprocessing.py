"""Vote and post-processing: VOXEL.md, "What a run answers", 4 and 5; the paper's III-D and Fig. 4."""

import math

import numpy
import scipy.ndimage

from voxels import ALL_26_NEIGHBOURS, TAU

PAPER_VOXEL_MM = (1.0, 0.8, 0.8)


def box_size(paper_voxels, spacing_mm):
    """Voxels of a box along each axis. Half away from zero: (n - 1) / 2 may be negative, but then the 3 is larger."""
    sizes = []
    for axis in range(3):
        half = (paper_voxels * PAPER_VOXEL_MM[axis] / spacing_mm[axis] - 1.0) / 2.0
        rounded = int(math.copysign(math.floor(abs(half) + 0.5), half))
        sizes.append(min(255, max(3, 2 * rounded + 1)))
    return tuple(sizes)


def box_sums(values, size):
    """Sums over a box around each voxel, zeros beyond the volume, exact for integers and in float64 otherwise."""
    sums = values
    for axis in range(3):
        half = size[axis] // 2
        padding = [(0, 0)] * 3
        padding[axis] = (half, half)
        padded = numpy.pad(sums, padding)
        sums = sum(numpy.take(padded, range(shift, shift + values.shape[axis]), axis=axis)
                   for shift in range(size[axis]))
    return sums


def majority(votes):
    """Strict: a tie is not healthy."""
    votes = numpy.asarray(votes)
    return 2 * votes.sum(axis=0) > votes.shape[0]


def post_process(image, lung, healthy, spacing_mm, growth_limit_mm=None, tau=TAU):
    """The answer, and the core ("without growing")."""
    size_9, size_7 = box_size(9, spacing_mm), box_size(7, spacing_mm)
    bright_lesion = (image >= tau) & ~healthy & lung
    full_lesion = numpy.where(lung & ~healthy, image, numpy.float32(0)).astype(numpy.float64)
    counts = box_sums(bright_lesion.astype(numpy.int64), size_9)
    core = lung & (5 * counts > math.prod(size_9))
    full = lung & (box_sums(full_lesion, size_7) / math.prod(size_7) > 0.15)
    if growth_limit_mm is not None:
        if core.any():
            full &= scipy.ndimage.distance_transform_edt(~core, sampling=spacing_mm) <= growth_limit_mm
        else:
            full &= False
    components, count = scipy.ndimage.label(full, ALL_26_NEIGHBOURS)
    touched = numpy.zeros(count + 1, dtype=bool)
    touched[components[core]] = True
    touched[0] = False
    return touched[components], core
