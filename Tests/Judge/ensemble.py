"""What a run answers: VOXEL.md, "What a run answers", 1 to 4 and 7; METHOD.md's table (overlap and blending)."""

import math

import numpy

import networks
import postprocessing
import voxels


def first_slices(depth, lung_first, lung_end, slab_depth):
    """Station 1: where the slabs begin."""
    last = max(0, depth - slab_depth)
    begin = min(lung_first, last)
    end = min(max(lung_end - slab_depth, 0), last)
    span = max(0, end - begin)
    number = 1 + math.ceil(span / max(1, 3 * slab_depth // 4))
    if number == 1:
        return [begin]
    return [begin + span * slab // (number - 1) for slab in range(number)]


def slice_weights(slab_depth):
    """Station 2: of slice o of a slab."""
    return [min(slice_ + 1, slab_depth - slice_) for slice_ in range(slab_depth)]


def total_weights(depth, firsts, slab_depth):
    totals = [0] * depth
    for first in firsts:
        for slice_, weight in enumerate(slice_weights(slab_depth)):
            if first + slice_ < depth:
                totals[first + slice_] += weight
    return totals


def blended_probability(network, image, lung, slab_depth):
    """Station 2 for a whole volume, in float64."""
    depth = image.shape[0]
    first_lung, end_lung = voxels.lung_box(lung)[0]
    firsts = first_slices(depth, first_lung, end_lung, slab_depth)
    weighted = numpy.zeros(image.shape)
    for first in firsts:
        slab = numpy.zeros((slab_depth, *image.shape[1:]), dtype=image.dtype)
        held = image[first:first + slab_depth]
        slab[:len(held)] = held
        answer = networks.probability(network, slab)
        for slice_, weight in enumerate(slice_weights(slab_depth)[:len(held)]):
            weighted[first + slice_] += weight * answer[slice_]
    totals = numpy.array(total_weights(depth, firsts, slab_depth), dtype=float)
    return weighted / numpy.maximum(totals, 1.0)[:, None, None]


def says_healthy(probabilities, threshold):
    """Station 3, in 32 bits as the program keeps them: above, not equal."""
    return probabilities.astype(numpy.float32) > numpy.float32(threshold)


def answer_on_file(prepared, healthy, lung_ijk, tau=voxels.TAU):
    """Stations 5 and 6: the grown answer and the core on the file's grid."""
    grown, core = postprocessing.post_process(prepared.image, prepared.lung, healthy, prepared.grid.to_mm, tau=tau)
    return tuple(voxels.mask_to_file(mask, prepared.grid, lung_ijk) for mask in (grown, core))


def figures(grown, core, lung, affine):
    """Station 7."""
    voxel_ml = abs(float(numpy.linalg.det(affine[:3, :3]))) / 1000.0
    counts = [int(mask.sum()) for mask in (grown, core, lung)]
    return {
        "lesionVoxels": counts[0], "withoutGrowingVoxels": counts[1], "lungVoxels": counts[2],
        "lesion_ml": counts[0] * voxel_ml, "lung_ml": counts[2] * voxel_ml,
        "lesion_percent": 100.0 * counts[0] / counts[2], "lesion_without_growing_ml": counts[1] * voxel_ml,
    }
