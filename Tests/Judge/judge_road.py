"""judge_road.py FOLDER: recomputes a finished road from the files that a user sees, and compares station by station.

FOLDER/phantoms (CTs, lungs, lesions), data, run, masks (segment --members), evaluate.json, pairs (lesions with the
run's seed and options). Where they are there: calibration (lesions --calibration), votes/NAME (ct.*, lung.*,
healthy-*, answer/), leave-out/NAME.csv (what prepare was given), frozen and stepped (judge_steps.py). Writes
FOLDER/judged.json with the judge's own figures; exit code 1 where something differs.
"""

import csv
import json
import pathlib
import sys

import numpy

import calibration
import ensemble
import files
import judge_steps
import networks
import postprocessing
import tables
import training
import voxels
from verdicts import Verdicts

# Probabilities this near to the threshold may fall on either side of it in 32 bits.
UNDECIDED = 2e-5
# An undecided voxel of the prepared grid changes its box, and a box's component may join or not: no sharp bound.
VOXELS_PER_UNDECIDED = 60


def file_of(folder, name):
    """Of whatever format: NAME.nii.gz, NAME.mha ..."""
    return next(path for path in sorted(folder.iterdir()) if name_of(path) == name)


def name_of(path):
    return path.name[:-7] if path.name.endswith(".nii.gz") else path.stem


def read_json(path):
    return json.loads(path.read_text())


def judge_data_set(road, verdicts):
    """VOXEL.md, stations 1 to 12 for `phantoms/healthy`, and dataset.json."""
    said = read_json(road / "data" / "dataset.json")
    spacing_mm = tuple(said["spacing"][name] for name in ("zMM", "yMM", "xMM"))
    size, tau = (said["planeHeight"], said["planeWidth"]), numpy.float32(said["tau"])
    needed = []
    for volume in said["volumes"]:
        name = volume["name"]
        values, affine = files.read_values(road / "phantoms" / "healthy" / volume["sourceName"])
        lung = files.read_mask_as(file_of(road / "phantoms" / "lungs", name), affine, values.shape)
        prepared = voxels.prepare(values, lung, affine, spacing_mm, size, 1, size=size, training=True, tau=tau)
        needed.append([voxels.window_length(0, *prepared.grid.lung_box[axis], 1) for axis in (1, 2)])
        station = f"data set, {name}"
        numbers = files.read_stored(road / "data" / f"{name}.image.nii.gz").astype(int)
        stored_lung = files.read_prepared(road / "data" / f"{name}.lung.nii.gz") != 0
        verdicts.same(f"{station}: shape", list(prepared.image.shape), list(numbers.shape))
        if prepared.image.shape != numbers.shape:
            continue
        verdicts.voxels(f"{station}: lung", prepared.lung, stored_lung, 0)
        steps = numpy.abs(voxels.stored_numbers(prepared.image).astype(int) - numbers)
        verdicts.same(f"{station}: largest difference in steps of 1/60000", 0, int(steps.max()), 1)
        bright = voxels.is_bright(prepared.image, prepared.lung, tau)
        as_read = voxels.is_bright(voxels.read_back(numbers), stored_lung, tau)
        as_stored = voxels.is_bright(voxels.read_back(voxels.stored_numbers(prepared.image)), prepared.lung, tau)
        verdicts.voxels(f"{station}: bright as stored", as_stored, as_read, int((steps > 0).sum()))
        lung_voxels = int(prepared.lung.sum())
        verdicts.same(f"{station}: lungVoxelsBySlice", prepared.lung.sum(axis=(1, 2)).tolist(),
                      volume["lungVoxelsBySlice"])
        verdicts.same(f"{station}: excludedSlices", excluded_of(road, name, affine, values.shape, spacing_mm),
                      volume["excludedSlices"])
        verdicts.same(f"{station}: edgeVoxelsRemoved", prepared.edge_voxels_removed, volume["edgeVoxelsRemoved"])
        verdicts.same(f"{station}: lungML", lung_voxels * float(numpy.prod(spacing_mm)) / 1000, volume["lungML"], 1e-6)
        verdicts.same(f"{station}: brightShare", int(bright.sum()) / lung_voxels, volume["brightShare"], 1e-6)
    verdicts.same("data set: the window holds the largest lungs",
                  True, all(max(sizes) <= least for sizes, least in zip(zip(*needed), size)))
    return said


def excluded_of(road, name, affine, shape, spacing_mm):
    table = road / "leave-out" / f"{name}.csv"
    if not table.exists():
        return []
    with open(table, newline="") as file:
        left_out = [int(row["slice_z"]) for row in csv.DictReader(file)]
    return voxels.excluded_slices(left_out, affine, shape, spacing_mm)


def training_slabs(said, configuration):
    return training.slabs([volume["lungVoxelsBySlice"] for volume in said["volumes"]],
                          [set(volume["excludedSlices"]) for volume in said["volumes"]],
                          configuration["preset"]["slabDepth"])


def data_set_volumes(road, said):
    """As training reads them."""
    return [(voxels.read_back(files.read_stored(road / "data" / f"{volume['name']}.image.nii.gz")),
             files.read_prepared(road / "data" / f"{volume['name']}.lung.nii.gz") != 0) for volume in said["volumes"]]


def slab_under(lesioned, lesion, volumes, slabs, slab_depth):
    """Which training slabs this sample can have been made of: the same values outside of the lesions."""
    return [number for number, (volume, first, _) in enumerate(slabs)
            if numpy.allclose(volumes[volume][0][first:first + slab_depth][~lesion], lesioned[~lesion], atol=2e-7)]


def judge_pair(station, folder, number, volumes, slabs, slab_depth, tau, verdicts):
    """A sample: A, the target and G against the slab that it was made of."""
    lesioned = files.read_prepared(folder / f"{number}.image.nii.gz").astype(numpy.float32)
    lesion = files.read_prepared(folder / f"{number}.lesion.nii.gz") != 0
    target = files.read_prepared(folder / f"{number}.target.nii.gz") != 0
    found = slab_under(lesioned, lesion, volumes, slabs, slab_depth)
    verdicts.same(f"{station}: made of one training slab", 1, len(found))
    if not found:
        return None
    volume, first, _ = slabs[found[0]]
    image, lung = (array[first:first + slab_depth] for array in volumes[volume])
    verdicts.same(f"{station}: lesion voxels outside of the lung", 0, int((lesion & ~lung).sum()))
    verdicts.same(f"{station}: voxels darker than before", 0, int((lesioned < image - 2e-7).sum()))
    verdicts.same(f"{station}: voxels above 1", 0, int((lesioned > 1).sum()))
    verdicts.voxels(f"{station}: target", training.target_of(image, lesion, tau), target, 0)
    return found[0]


def judge_pairs(road, volumes, slabs, configuration, verdicts):
    tau = numpy.float32(configuration["preset"]["tau"])
    for path in sorted((road / "pairs").glob("*.image.nii.gz")):
        number = path.name.split(".")[0]
        judge_pair(f"pair {number}", road / "pairs", number, volumes, slabs, configuration["preset"]["slabDepth"],
                   tau, verdicts)


def judge_calibration(road, run, volumes, slabs, networks_of_run, verdicts):
    """VOXEL.md, "Threshold", from the slabs that `lesions --calibration` wrote."""
    preset = run["configuration"]["preset"]
    tau = numpy.float32(preset["tau"])
    spacing_mm = tuple(preset["spacing"][name] for name in ("zMM", "yMM", "xMM"))
    folder = road / "calibration"
    taken = calibration.slabs_taken(slabs)
    numbers = sorted(path.name.split(".")[0] for path in folder.glob("*.image.nii.gz"))
    verdicts.same("calibration: slabs", len(taken), len(numbers))
    images, lungs, lesions = [], [], []
    for place, number in enumerate(numbers):
        found = judge_pair(f"calibration {number}", folder, number, volumes, slabs, preset["slabDepth"], tau, verdicts)
        if place < len(taken) and found is not None:
            verdicts.same(f"calibration {number}: number in the list of training slabs",
                          slabs.index(taken[place]), found)
        images.append(files.read_prepared(folder / f"{number}.image.nii.gz").astype(numpy.float32))
        lungs.append(files.read_prepared(folder / f"{number}.lung.nii.gz") != 0)
        lesions.append(files.read_prepared(folder / f"{number}.lesion.nii.gz") != 0)
        if found is not None:
            volume, first, _ = slabs[found]
            verdicts.voxels(f"calibration {number}: lung", volumes[volume][1][first:first + preset["slabDepth"]],
                            lungs[-1], 0)
    counts = calibration.counts_per_candidate(networks_of_run, images, lungs, lesions, spacing_mm, tau)
    dice = calibration.dice_of(counts)
    said = {float(name): value for name, value in run.get("calibration", {}).items()}
    for candidate, score in zip(calibration.CANDIDATES, dice):
        verdicts.same(f"calibration: Dice at {candidate}", score, said.get(candidate), 5e-4)
    verdicts.same("calibration: threshold", calibration.best_threshold(dice), run["configuration"]["healthyThreshold"],
                  1e-6)


class Volume:
    """A CT that was segmented, as the judge prepares it."""

    def __init__(self, road, name, configuration):
        preset = configuration["preset"]
        self.values, self.affine = files.read_values(file_of(road / "phantoms" / "diseased", name))
        self.lung, self.truth = (files.read_mask_as(file_of(road / "phantoms" / folder, name), self.affine,
                                                    self.values.shape) for folder in ("lungs", "lesions"))
        self.tau = numpy.float32(preset["tau"])
        spacing_mm = tuple(preset["spacing"][axis] for axis in ("zMM", "yMM", "xMM"))
        # The documents speak of the preset's least plane. Assumed: of a run, the plane that it was trained with.
        least = (configuration["planeHeight"], configuration["planeWidth"])
        self.prepared = voxels.prepare(self.values, self.lung, self.affine, spacing_mm, least,
                                       int(numpy.prod(preset["strides"])))

    def answer(self, healthy):
        return ensemble.answer_on_file(self.prepared, healthy, self.lung, self.tau)


def judge_answers(road, run, networks_of_run, verdicts):
    """Masks, archive.csv, and evaluate's table."""
    configuration = run["configuration"]
    threshold, slab_depth = configuration["healthyThreshold"], configuration["preset"]["slabDepth"]
    with open(road / "masks" / "archive.csv", newline="") as file:
        results = {row["name"]: row for row in csv.DictReader(file)}
    names = sorted(name_of(path) for path in (road / "phantoms" / "diseased").iterdir())
    verdicts.same("archive.csv: names", names, sorted(results))
    rows = {}
    for name in names:
        volume = Volume(road, name, configuration)
        probabilities = [ensemble.blended_probability(network, volume.prepared.image, volume.prepared.lung, slab_depth)
                         for network in networks_of_run]
        votes = [ensemble.says_healthy(probability, threshold) for probability in probabilities]
        near = [int((numpy.abs(probability - threshold) < UNDECIDED)[volume.prepared.image >= volume.tau].sum())
                for probability in probabilities]
        answers = [(f"replica-{number}", vote, undecided) for number, (vote, undecided) in enumerate(zip(votes, near))]
        answers.append(("vote", postprocessing.majority(votes), sum(near)))
        answers.append(("none", tables.healthy_of_none(volume.prepared), 0))
        answers.append(("oracle", tables.healthy_of_oracle(volume.prepared, volume.truth, volume.tau), 0))
        for row, healthy, undecided in answers:
            grown, core = volume.answer(healthy)
            for kind, mask in (("grown", grown), ("withoutGrowing", core)):
                rows.setdefault(row, {}).setdefault(kind, []).append(tables.scores(mask, volume.truth, volume.lung))
            folder = road / "masks" / ("" if row == "vote" else row)
            if row not in ("none", "oracle"):
                for kind, mask, path in (("grown", grown, folder / f"{name}.nii.gz"),
                                         ("core", core, folder / "without-growing" / f"{name}.nii.gz")):
                    found, found_affine = files.read_values(path)
                    verdicts.same(f"{name}, {row}, {kind}: affine", volume.affine.ravel().tolist(),
                                  found_affine.ravel().tolist(), 1e-5)
                    verdicts.voxels(f"{name}, {row}, {kind}", mask, found != 0, undecided * VOXELS_PER_UNDECIDED)
            if row == "vote":
                figures = ensemble.figures(grown, core, volume.lung, volume.affine)
                for column in ("lesion_ml", "lesion_percent", "lung_ml", "lesion_without_growing_ml"):
                    verdicts.same(f"{name}, archive.csv: {column}", figures[column], float(results[name][column]),
                                  0.0006 + 1e-3 * figures[column] * min(1, undecided))
    judge_evaluate(road, rows, verdicts)


def judge_evaluate(road, rows, verdicts):
    said = {row["answer"]: row for row in read_json(road / "evaluate.json")}
    verdicts.same("evaluate: rows", sorted(rows), sorted(said))
    for row in sorted(set(rows) & set(said)):
        for kind, found in (("grown", said[row]), ("withoutGrowing", said[row].get("withoutGrowing", {}))):
            for score in ("dice", "precision", "sensitivity", "specificity"):
                if kind == "withoutGrowing" and score not in found:
                    continue
                expected = tables.summary([volume[score] for volume in rows[row][kind]])
                tolerance = 1e-9 if row in ("none", "oracle") else 1e-3
                numbers = [expected["mean"], expected["standardDeviation"], expected["n"]]
                there = [found[score].get(name) for name in ("mean", "standardDeviation", "count")]
                verdicts.same(f"evaluate, {row}, {kind}: {score}", numbers, there, tolerance)


def judge_votes(road, verdicts):
    """The command vote, with its default tau and no limit of growth."""
    folders = sorted((road / "votes").glob("*")) if (road / "votes").exists() else []
    if not folders:
        verdicts.absent("vote")
    for folder in folders:
        values, affine = files.read_values(next(folder.glob("ct.*")))
        lung = files.read_mask_as(next(folder.glob("lung.*")), affine, values.shape)
        votes = [files.read_mask_as(path, affine, values.shape) for path in sorted(folder.glob("healthy-*"))]
        healthy, grown, core, _ = tables.vote_command(values, lung, votes, affine)
        for name, mask in (("vote", healthy), ("lesions", grown), ("lesions-without-growing", core)):
            found = files.read_mask_as(folder / "answer" / f"{name}.nii.gz", affine, values.shape)
            verdicts.voxels(f"votes, {folder.name}: {name}", mask, found, 0)


def main(road):
    verdicts = Verdicts()
    run = read_json(road / "run" / "run.json")
    networks_of_run = [networks.load_network(road / "run" / f"replica-{number}.safetensors")[0]
                       for number in range(run["replicaCount"])]
    said = judge_data_set(road, verdicts)
    slabs = training_slabs(said, run["configuration"])
    volumes = data_set_volumes(road, said)
    judge_pairs(road, volumes, slabs, run["configuration"], verdicts)
    if (road / "calibration").exists():
        judge_calibration(road, run, volumes, slabs, networks_of_run, verdicts)
    else:
        verdicts.absent("calibration")
    judge_answers(road, run, networks_of_run, verdicts)
    judge_votes(road, verdicts)
    judge_steps.judge(road, verdicts)
    verdicts.write(road / "judged.json")
    return 1 if verdicts.print_table() else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1])))
