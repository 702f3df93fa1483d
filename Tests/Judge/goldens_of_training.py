"""Goldens of a sample, its loss and a calibration. Lesions are simple blobs of our own, not the generator's."""

import copy

import numpy
import scipy.ndimage
import torch

import calibration
import files
import networks
import replicas
import training
import voxels
from json_files import write_json

NAMED_PARAMETERS = (replicas.LAST_BIAS, replicas.LAST_WEIGHT, "model.0.conv.unit0.adn.A.weight",
                    "model.0.conv.unit0.conv.weight", "model.1.submodule.residual.weight", "model.2.0.conv.bias")


def texture_of(shape, seed):
    """beta * b2 in the paper's sense: noise of salt, blurred, scaled; here and there above 1."""
    random = numpy.random.default_rng(seed)
    salt = (random.random(shape) < 0.2).astype(numpy.float64)
    blurred = scipy.ndimage.gaussian_filter(salt, 0.9)
    texture = blurred * (0.6 / blurred[blurred > 0.2].mean())
    return (numpy.rint(texture * 1024) / 1024).astype(numpy.float32)


def lesion_of(lung, seed, number, radius):
    """Balls around places of the lung; they may reach beyond it, as the generator's do before they are cut."""
    random = numpy.random.default_rng(seed)
    inside = numpy.argwhere(lung)
    grid = numpy.indices(lung.shape)
    lesion = numpy.zeros(lung.shape, dtype=bool)
    for place in inside[random.choice(len(inside), number, replace=False)]:
        stretch = random.uniform(0.6, 1.3, 3)
        away = sum(((grid[axis] - place[axis]) / stretch[axis]) ** 2 for axis in range(3))
        lesion |= away <= radius ** 2
    return lesion


def brightest_crop(image, shape=(8, 16, 24)):
    """Where most is bright: otherwise a sample has next to nothing to learn."""
    counts = {}
    for first in range(0, image.shape[0] - shape[0] + 1, 2):
        for y in range(0, image.shape[1] - shape[1] + 1, 2):
            for x in range(0, image.shape[2] - shape[2] + 1, 2):
                crop = tuple(slice(start, start + length) for start, length in zip((first, y, x), shape))
                counts[first, y, x] = int((image[crop] >= voxels.TAU).sum()), crop
    return max(counts.values(), key=lambda found: found[0])[1]


def write_sample(folder, volume, spacing_mm):
    """A crop with vessels in it. Texture is 32-bit floats, the rest as elsewhere."""
    folder.mkdir()
    crop = brightest_crop(volume.image)
    numbers, lung = voxels.stored_numbers(volume.image)[crop], volume.lung[crop]
    image = voxels.read_back(numbers)
    lesion = lesion_of(lung, 5, 2, 3.0)
    texture = texture_of(lung.shape, 6)
    texture[0, 0, :3] = 1.5
    lesioned, target = training.sample(image, lung, lesion, texture)
    files.write_prepared(folder / "image.nii.gz", numbers, spacing_mm)
    files.write_prepared(folder / "lung.nii.gz", lung.astype(numpy.uint8), spacing_mm)
    files.write_prepared(folder / "lesion.nii.gz", lesion.astype(numpy.uint8), spacing_mm)
    files.write_prepared(folder / "texture.nii.gz", texture, spacing_mm)
    files.write_prepared(folder / "expected-image.nii.gz", lesioned, spacing_mm)
    files.write_prepared(folder / "expected-target.nii.gz", target.astype(numpy.uint8), spacing_mm)
    return lesioned, target


def loss_case(network, images, targets):
    network = copy.deepcopy(network).double().train()
    network.zero_grad()
    tensor = torch.from_numpy(numpy.stack(images).astype(numpy.float64))[:, None]
    target = torch.from_numpy(numpy.stack(targets).astype(numpy.float64))[:, None]
    logits = network(tensor)
    loss = training.loss(logits, target)
    loss.backward()
    other = training.loss(logits.detach(), target, smoothing=1e-4)
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    norm = torch.sqrt(sum((gradient ** 2).sum() for gradient in gradients.values()))
    return {
        "loss": float(loss.detach()), "lossIfSmoothedBy1e-4": float(other),
        "hardDice": training.hard_dice(logits.detach(), target), "gradientNorm": float(norm),
        "gradients": {name: gradients[name].ravel().tolist()[:8] for name in NAMED_PARAMETERS if name in gradients},
        "gradientNorms": {name: float(gradient.norm()) for name, gradient in gradients.items()},
        "sumOfClass1": float(torch.softmax(logits.detach(), 1)[:, 1].sum()),
    }


def write_losses(path, network, image, target):
    """`lastBiasShift` is added to the last layer's bias of replica-0. Inputs are samples/expected-*."""
    empty = numpy.zeros_like(target)
    cases = []
    for name, shift, images, targets in (
            ("sample", (0.0, 0.0), [image], [target]),
            ("target without a 1", (0.0, 0.0), [image], [empty]),
            ("batch of both", (0.0, 0.0), [image, image], [target, empty]),
            ("next to no class 1", (12.0, -12.0), [image], [target]),
            ("next to no class 1, target without a 1", (12.0, -12.0), [image], [empty]),
            ("a little class 1, target without a 1", (9.0, -9.0), [image], [empty]),
            ("next to no class 0", (-12.0, 12.0), [image], [target])):
        shifted = copy.deepcopy(network)
        replicas.shift_last_bias(shifted, list(shift))
        cases.append({"name": name, "lastBiasShift": shift,
                      "targets": ["samples/expected-target" if t.any() else "all 0" for t in targets],
                      **loss_case(shifted, images, targets)})
    text = {"about": "replica-0 on samples/expected-image.nii.gz; float64; gradients: the first 8 numbers of "
                     "each named parameter; hardDice null: nothing healthy in prediction or target",
            "lastBias": replicas.LAST_BIAS, "cases": cases}
    write_json(path, text)


def write_calibration(out, networks_of_run, volumes, chosen, slab_depth, spacing_mm):
    """Slabs with small lesions, every candidate's counts and Dice, and the threshold taken."""
    folder = out / "calibration"
    folder.mkdir()
    images, lungs, lesions = [], [], []
    for number, (volume, first, _) in enumerate(chosen):
        run = slice(first, first + slab_depth)
        image = voxels.read_back(voxels.stored_numbers(volumes[volume].image[run]))
        lung = volumes[volume].lung[run]
        lesion = lesion_of(lung, 20 + number, 5, 3.0) & lung
        texture = numpy.float32(1.5) * texture_of(lung.shape, 30 + number)
        lesioned, _ = training.sample(image, lung, lesion, texture)
        numbers = voxels.stored_numbers(lesioned)
        images.append(voxels.read_back(numbers))
        lungs.append(lung)
        lesions.append(lesion)
        files.write_prepared(folder / f"{number}.image.nii.gz", numbers, spacing_mm)
        files.write_prepared(folder / f"{number}.lung.nii.gz", lung.astype(numpy.uint8), spacing_mm)
        files.write_prepared(folder / f"{number}.lesion.nii.gz", lesion.astype(numpy.uint8), spacing_mm)
    counts = calibration.counts_per_candidate(networks_of_run, images, lungs, lesions, spacing_mm)
    dice = calibration.dice_of(counts)
    near = sum(int((numpy.abs(networks.probability(network, image)[lung] - candidate) < 1e-5).sum())
               for network in networks_of_run for image, lung in zip(images, lungs)
               for candidate in calibration.CANDIDATES)
    text = {
        "slabs": [{"volume": volume, "firstSlice": first, "lambda": share} for volume, first, share in chosen],
        "candidates": [{"threshold": candidate, "both": int(row[0]), "answer": int(row[1]), "truth": int(row[2]),
                        "dice": score} for candidate, row, score in zip(calibration.CANDIDATES, counts, dice)],
        "threshold": calibration.best_threshold(dice), "voxelsWithin1e-5OfACandidate": near,
    }
    write_json(out / "thresholds.json", text)
