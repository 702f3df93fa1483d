"""The first steps of a training, from the samples that `quintet lesions` writes: VOXEL.md, "What training sees".

FOLDER/frozen is a run of one replica with --learning-rate 0: its weights are the first ones, and its metrics.csv has
the loss of every batch at these weights. FOLDER/stepped is the same with a learning rate: after its steps, weights
must be what PyTorch's Adam makes of the same batches. FOLDER/pairs holds the samples, as many as both saw together.
"""

import csv
import json

import numpy
import torch

import files
import networks
import training


def batches(folder, size):
    numbers = sorted(path.name.split(".")[0] for path in folder.glob("*.image.nii.gz"))
    for first in range(0, len(numbers) - size + 1, size):
        chosen = numbers[first:first + size]
        images = [files.read_prepared(folder / f"{number}.image.nii.gz") for number in chosen]
        targets = [files.read_prepared(folder / f"{number}.target.nii.gz") for number in chosen]
        yield tuple(torch.from_numpy(numpy.stack(arrays).astype(numpy.float64))[:, None]
                    for arrays in (images, targets))


def metrics_of(run):
    with open(run / "metrics.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["replica"] == "0"]


def judge_frozen(road, verdicts):
    run = road / "frozen"
    network, _ = networks.load_network(run / "replica-0.safetensors")
    preset = json.loads((run / "run.json").read_text())["configuration"]["preset"]
    for row, (images, targets) in zip(metrics_of(run), batches(road / "pairs", preset["batch"])):
        with torch.no_grad():
            logits = network(images)
        station = f"frozen, iteration {row['iteration']}"
        verdicts.same(f"{station}: loss", float(training.loss(logits, targets)), float(row["loss"]), 2e-6)
        verdicts.same(f"{station}: hard Dice", training.hard_dice(logits, targets), float(row["dice"]), 1e-4)


def judge_stepped(road, verdicts):
    run = road / "stepped"
    network, _ = networks.load_network(road / "frozen" / "replica-0.safetensors")
    preset = json.loads((run / "run.json").read_text())["configuration"]["preset"]
    begun = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    adam = torch.optim.Adam(network.parameters(), preset["learningRate"], betas=(0.9, 0.999), eps=1e-8)
    rows = metrics_of(run)
    for row, (images, targets) in zip(rows, batches(road / "pairs", preset["batch"])):
        adam.zero_grad()
        logits = network(images)
        loss = training.loss(logits, targets)
        loss.backward()
        station = f"stepped, iteration {row['iteration']}"
        verdicts.same(f"{station}: loss", float(loss.detach()), float(row["loss"]), 2e-4)
        verdicts.same(f"{station}: hard Dice", training.hard_dice(logits.detach(), targets), float(row["dice"]), 1e-3)
        adam.step()
    ended, _ = networks.load_network(run / "replica-0.safetensors")
    # Gradients that are 0 but for rounding step by their sign, which is anybody's: biases in front of a norm. So the
    # share of parameters that moved as here is judged, and the biases are left out.
    agree, count = 0, 0
    for name, parameter in ended.named_parameters():
        if name.endswith("bias"):
            continue
        moved, expected = parameter.detach() - begun[name], network.get_parameter(name).detach() - begun[name]
        agree += int(((moved - expected).abs() <= 0.02 * preset["learningRate"] * len(rows)).sum())
        count += parameter.numel()
    verdicts.same("stepped: share of weights that moved alike", 1.0, agree / count, 0.02)


def judge(road, verdicts):
    for name, judged in (("frozen", judge_frozen), ("stepped", judge_stepped)):
        if (road / name).exists():
            judged(road, verdicts)
        else:
            verdicts.absent(f"steps: {name}")
