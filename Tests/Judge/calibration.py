"""The threshold of a short preset: VOXEL.md, "Threshold"; METHOD.md's row "calibration"."""

import numpy

import ensemble
import networks
import postprocessing
import voxels

CANDIDATES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975)
MOST_SLABS = 8
LEAST_LAMBDA = 0.5


def slabs_taken(slabs):
    """Of the list of training slabs (volume, first slice, lambda), those that calibration takes."""
    full = [slab for slab in slabs if slab[2] >= LEAST_LAMBDA] or list(slabs)
    number = min(MOST_SLABS, len(full))
    return [full[slab * len(full) // number] for slab in range(number)]


def counts_per_candidate(networks_of_run, images, lungs, lesions, spacing_mm, tau=voxels.TAU):
    """For every candidate: voxels of both, of the answer, of the truth, over all slabs together."""
    counts = numpy.zeros((len(CANDIDATES), 3), dtype=int)
    for image, lung, lesion in zip(images, lungs, lesions):
        probabilities = [networks.probability(network, image) for network in networks_of_run]
        for candidate, threshold in enumerate(CANDIDATES):
            votes = [ensemble.says_healthy(probability, threshold) for probability in probabilities]
            answer, _ = postprocessing.post_process(image, lung, postprocessing.majority(votes), spacing_mm, tau=tau)
            counts[candidate] += [(answer & lesion).sum(), answer.sum(), lesion.sum()]
    return counts


def dice_of(counts):
    return [2.0 * int(both) / int(answer + truth) if answer + truth else 0.0 for both, answer, truth in counts]


def best_threshold(dice_per_candidate):
    """The highest Dice, the highest candidate of equals."""
    best = max(dice_per_candidate)
    return max(candidate for candidate, dice in zip(CANDIDATES, dice_per_candidate) if dice == best)
