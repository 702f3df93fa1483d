"""What training sees: VOXEL.md, "What training sees"; the paper's (1), (9) and III-B."""

import numpy
import torch
from monai.losses import DiceLoss

from voxels import TAU

LEAST_LAMBDA = 0.1


def slabs(lung_voxels_by_slice, excluded, slab_depth):
    """The list of (volume, first slice, lambda) that a sample is drawn from, in its order.

    `lung_voxels_by_slice` and `excluded` have an entry for every volume.
    """
    found = []
    for volume, counts in enumerate(lung_voxels_by_slice):
        for first in range(len(counts) - slab_depth + 1):
            run = range(first, first + slab_depth)
            if not any(slice_ in excluded[volume] for slice_ in run):
                found.append((volume, first, sum(counts[slice_] for slice_ in run)))
    fullest = max((count for _, _, count in found), default=0)
    return [(volume, first, count / fullest) for volume, first, count in found
            if fullest > 0 and count / fullest > LEAST_LAMBDA]


def sample(image, lung, lesion, texture, tau=TAU):
    """A and the target. `texture` is beta * b2."""
    inside = lesion & lung
    lesioned = numpy.where(inside, numpy.maximum(image, numpy.minimum(numpy.float32(1), texture)), image)
    return lesioned.astype(numpy.float32), target_of(image, inside, tau)


def target_of(image, lesion, tau=TAU):
    return (image >= tau) & ~lesion


def loss(logits, target, smoothing=1e-5):
    """Dice by MONAI plus cross-entropy by PyTorch. `target` is (N, 1, D, H, W) of 0 and 1."""
    dice = DiceLoss(include_background=True, to_onehot_y=True, softmax=True, smooth_nr=smoothing, smooth_dr=smoothing)
    return dice(logits, target) + torch.nn.functional.cross_entropy(logits, target[:, 0].long())


def hard_dice(logits, target):
    """Of class 1 over the batch; None where nothing is healthy in either (the documents name no value)."""
    predicted = logits[:, 1] > logits[:, 0]
    truth = target[:, 0] > 0.5
    denominator = int(predicted.sum()) + int(truth.sum())
    return 2.0 * int((predicted & truth).sum()) / denominator if denominator else None
