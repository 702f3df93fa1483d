"""Scores of answers, the rows "none" and "oracle", and the command vote: VOXEL.md, "Tables"."""

import math

import numpy

import ensemble
import postprocessing
import voxels


def scores(answer, truth, lung):
    """Of one volume, as shares of 1. None where there is no value."""
    true_positive = int((answer & truth).sum())
    false_positive = int((answer & ~truth).sum())
    false_negative = int((~answer & truth).sum())
    true_negative_in_lung = int((~answer & ~truth & lung).sum())
    false_positive_in_lung = int((answer & ~truth & lung).sum())

    def share(numerator, denominator):
        return numerator / denominator if denominator else None

    precision = share(true_positive, true_positive + false_positive)
    if precision is None and false_negative:
        precision = 0.0
    return {
        "dice": share(2 * true_positive, 2 * true_positive + false_positive + false_negative),
        "precision": precision,
        "sensitivity": share(true_positive, true_positive + false_negative),
        "specificity": share(true_negative_in_lung, true_negative_in_lung + false_positive_in_lung),
    }


def summary(values):
    """Mean and standard deviation over the volumes that have the value."""
    values = [value for value in values if value is not None]
    if not values:
        return {"mean": None, "standardDeviation": None, "n": 0}
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return {"mean": mean, "standardDeviation": math.sqrt(variance), "n": len(values)}


def healthy_of_none(prepared):
    return numpy.zeros(prepared.lung.shape, dtype=bool)


def healthy_of_oracle(prepared, truth_ijk, tau=voxels.TAU):
    return (prepared.image >= tau) & ~voxels.mask_to_prepared(truth_ijk, prepared.grid)


def vote_command(values_ijk, lung_ijk, votes_ijk, affine, growth_limit_mm=None, tau=voxels.TAU):
    """The healthy majority, the lesions, those without growing, and their figures, on the CT's own grid."""
    healthy = postprocessing.majority(votes_ijk)
    lung, turned_healthy = voxels.upright(lung_ijk, affine), voxels.upright(healthy, affine)
    image = voxels.intensities(voxels.upright(values_ijk, affine), lung)
    grown, core = postprocessing.post_process(image, lung, turned_healthy, voxels.file_spacing_mm(affine),
                                              growth_limit_mm, tau)
    grown, core = (voxels.as_in_file(mask, affine) for mask in (grown, core))
    return healthy, grown, core, ensemble.figures(grown, core, lung_ijk, affine)
