"""Three replicas nobody trained: MONAI's first weights, with a last layer that makes their answers differ.

Random weights answer about 0.5 everywhere, and then no threshold, vote or blending is tried. So the last layer is
scaled and shifted until the odds over bright lung spread around even, each replica in its own way.
"""

import numpy
import torch

import networks

CHANNELS, STRIDES, RESIDUAL_UNITS = (4, 8), (2,), 1
SEEDS = (601, 602, 603)
SPREAD_OF_LOG_ODDS = 1.6
LAST_WEIGHT, LAST_BIAS = "model.2.1.conv.unit0.conv.weight", "model.2.1.conv.unit0.conv.bias"


def scale_last_layer(network, factor):
    """The last layer is a convolution with its input added; both are scaled alike by a change of its middle tap."""
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        weight = parameters[LAST_WEIGHT]
        weight *= factor
        for channel in range(2):
            weight[channel, channel, 1, 1, 1] += factor - 1.0
        parameters[LAST_BIAS] *= factor


def shift_last_bias(network, by):
    with torch.no_grad():
        dict(network.named_parameters())[LAST_BIAS] += torch.tensor(by)


def log_odds(network, volumes, slab_depth):
    """Over bright lung of the middle slab of every volume."""
    found = []
    for prepared in volumes:
        first = max(0, (prepared.image.shape[0] - slab_depth) // 2)
        image = prepared.image[first:first + slab_depth]
        if len(image) < slab_depth:
            continue
        logits = networks.logits_of(network, image)
        found.append((logits[1] - logits[0])[image >= 0.33])
    return numpy.concatenate(found)


def make(folder, volumes, slab_depth):
    """Writes replica-0 ... and returns them as they are read back."""
    for number, seed in enumerate(SEEDS):
        network = networks.new_network(CHANNELS, STRIDES, RESIDUAL_UNITS, seed).double()
        odds = log_odds(network, volumes, slab_depth)
        scale_last_layer(network, round(SPREAD_OF_LOG_ODDS / float(odds.std()), 2))
        middle = round(float(numpy.median(log_odds(network, volumes, slab_depth))), 2)
        shift_last_bias(network, [middle / 2 - 0.1 * number, -middle / 2 + 0.1 * number])
        metadata = networks.metadata_of(CHANNELS, STRIDES, RESIDUAL_UNITS)
        networks.save_network(folder / f"replica-{number}.safetensors", network, metadata)
    return [networks.load_network(folder / f"replica-{number}.safetensors")[0] for number in range(len(SEEDS))]
