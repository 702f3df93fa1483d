"""make_goldens.py OUT: the judge's numbers of every station of VOXEL.md, for four small CTs. OUT must not exist.

Running it twice gives the same bytes.
"""

import pathlib
import sys

import nibabel
import numpy
import scipy.ndimage

import calibration
import cases
import ensemble
import files
import goldens_of_numbers
import goldens_of_training
import networks
import postprocessing
import replicas
import tables
import training
import voxels
from json_files import write_json

SPACING_MM = (6.0, 5.0, 5.0)
LEAST_PLANE = (32, 48)
SLAB_DEPTH = 8
STRIDE_PRODUCT = 2
THRESHOLD = 0.5
CASES_WITH_TRAINING = ("flipped", "leave-out")
PROBABILITIES_KEPT = {"oblique": (0, 1, 2), "thin": (0, 1, 2), "flipped": (), "leave-out": ()}
CASES_WITH_VOTE = ("oblique", "flipped")
GROWTH_LIMIT_MM = 12.0

README = """Goldens of every station of docs/VOXEL.md for four small made-up CTs, by Tests/Judge (make_goldens.py OUT).
The judge is a second implementation in numpy, scipy, nibabel and MONAI, written from the documents alone.
CASE/: the files and what must come of them; case.json has the numbers. configuration.json holds for all of them.
Other folders: a data set of two cases, one calibration, one sample and its losses, post-processing, pure numbers.
Images are round(60000 H), probabilities round(65535 p), 0 outside of the lung; prepared arrays in RAS, x first.
"""



def write_inputs(folder, case, stored, mask, truth, affine):
    mask, truth = mask.astype(numpy.uint8), truth.astype(numpy.uint8)
    if case.storage == "metaimage":
        files.write_metaimage(folder / "ct.mha", stored, affine)
        files.write_metaimage(folder / "lung.mha", mask, affine)
        # The truth is stored in another orientation than its CT.
        turned = numpy.ascontiguousarray(numpy.transpose(mask_in_ras(truth, affine), (2, 1, 0)))
        files.write_nifti(folder / "truth.nii.gz", turned, affine_in_ras(affine, truth.shape))
        names = {"ct": "ct.mha", "lung": "lung.mha", "truth": "truth.nii.gz"}
    else:
        files.write_nifti(folder / "ct.nii.gz", stored, affine, case.slope, case.intercept)
        files.write_nifti(folder / "lung.nii.gz", mask, affine)
        files.write_nifti(folder / "truth.nii.gz", truth, affine)
        names = {name: f"{name}.nii.gz" for name in ("ct", "lung", "truth")}
    if case.left_out:
        (folder / "leave-out.csv").write_text("slice_z\n" + "".join(f"{z}\n" for z in case.left_out))
        names["leaveOut"] = "leave-out.csv"
    return names


def mask_in_ras(mask, affine):
    return voxels.upright(mask, affine)


def affine_in_ras(affine, shape):
    return affine @ nibabel.orientations.inv_ornt_aff(nibabel.io_orientation(affine), shape)


def describe_training(prepared, excluded):
    bright = voxels.is_bright(prepared.image, prepared.lung)
    bright_as_stored = voxels.is_bright(voxels.read_back(voxels.stored_numbers(prepared.image)), prepared.lung)
    return {
        "shape": prepared.lung.shape, "windowStart": prepared.grid.start, "windowSize": prepared.grid.size,
        "edgeVoxelsRemoved": prepared.edge_voxels_removed, "excludedSlices": excluded,
        "lungVoxelsBySlice": prepared.lung.sum(axis=(1, 2)).tolist(),
        "lungML": int(prepared.lung.sum()) * numpy.prod(SPACING_MM) / 1000.0,
        "brightVoxels": int(bright.sum()), "brightShare": int(bright.sum()) / int(prepared.lung.sum()),
        "voxelsThatRoundingMakesBright": int((bright_as_stored ^ bright).sum()),
    }


def places_below_a_tie(grid):
    """Where "halfway up" depends on how the place is rounded: voxels per axis and way, see edges.json `nearest`."""
    found = {}
    for axis, name in enumerate("zyx"):
        before, after = grid.file_shape_zyx[axis], grid.resampled_shape[axis]
        file_mm, to_mm = grid.file_mm[axis], grid.to_mm[axis]
        for way, length, new, ratio in (("forth", before, after, to_mm / file_mm),
                                        ("back", after, before, file_mm / to_mm)):
            centres = [ratio * (voxel + 0.5) for voxel in range(new)]
            plain = voxels.nearest_places(length, new, ratio)
            low = [voxel for voxel in range(new) if abs(centres[voxel] - round(centres[voxel])) < 1e-9
                   and plain[voxel] < min(round(centres[voxel]), length - 1)]
            if low:
                found[f"{name} {way}"] = low
    return found


class Answers:
    """All answers about one case, with their scores, for its own folder and for the table over all cases."""

    def __init__(self, prepared, lung_ijk, truth_ijk, affine):
        self.prepared, self.lung, self.truth, self.affine = prepared, lung_ijk, truth_ijk, affine
        self.rows = {}

    def add(self, name, healthy):
        grown, core = ensemble.answer_on_file(self.prepared, healthy, self.lung)
        self.rows[name] = {
            "figures": ensemble.figures(grown, core, self.lung, self.affine),
            "grown": tables.scores(grown, self.truth, self.lung),
            "withoutGrowing": tables.scores(core, self.truth, self.lung),
        }
        return grown, core


def write_case(folder, case, inputs, networks_of_run, prepared):
    stored, mask, truth, affine, values = inputs
    folder.mkdir()
    described = {"name": case.name, "files": write_inputs(folder, case, stored, mask, truth, affine),
                 "affine": affine.tolist(), "fileShape": case.shape}

    training_volume = voxels.prepare(values, mask, affine, SPACING_MM, LEAST_PLANE, STRIDE_PRODUCT, training=True)
    excluded = voxels.excluded_slices(case.left_out, affine, case.shape, SPACING_MM) if case.left_out else []
    described["training"] = describe_training(training_volume, excluded)
    if case.name in CASES_WITH_TRAINING:
        write_prepared_pair(folder, "training", training_volume)

    write_prepared_pair(folder, "answering", prepared)
    firsts = ensemble.first_slices(prepared.lung.shape[0], *voxels.lung_box(prepared.lung)[0], SLAB_DEPTH)
    described["answering"] = {
        "shape": prepared.lung.shape, "resampledShape": prepared.grid.resampled_shape,
        "fileSpacingZYX": prepared.grid.file_mm, "windowStart": prepared.grid.start, "windowSize": prepared.grid.size,
        "lungBox": prepared.grid.lung_box, "lungVoxels": int(prepared.lung.sum()),
        "brightVoxels": int(voxels.is_bright(prepared.image, prepared.lung).sum()),
        "voxelsOfExactlyTau": int(((prepared.image == voxels.TAU) & prepared.lung).sum()),
        "placesJustBelowATie": places_below_a_tie(prepared.grid),
        "slabs": {"firstSlices": firsts, "weights": ensemble.slice_weights(SLAB_DEPTH),
                  "totalWeights": ensemble.total_weights(prepared.lung.shape[0], firsts, SLAB_DEPTH)},
        "box9": postprocessing.box_size(9, SPACING_MM), "box7": postprocessing.box_size(7, SPACING_MM),
    }

    answers = Answers(prepared, mask, truth, affine)
    votes, near = [], []
    for number, network in enumerate(networks_of_run):
        probability = ensemble.blended_probability(network, prepared.image, prepared.lung, SLAB_DEPTH)
        if number in PROBABILITIES_KEPT[case.name]:
            in_lung = numpy.where(prepared.lung, probability, 0.0)
            files.write_prepared(folder / f"probability-{number}.nii.gz",
                                 numpy.rint(in_lung * 65535).astype(numpy.uint16), SPACING_MM)
        votes.append(ensemble.says_healthy(probability, THRESHOLD))
        near.append(int((numpy.abs(probability[prepared.lung] - THRESHOLD) < 1e-4).sum()))
        answers.add(f"replica-{number}", votes[-1])
    voted = postprocessing.majority(votes)
    described["voxelsWithin1e-4OfTheThreshold"] = near
    described["healthyVoxelsInLung"] = [int((vote & prepared.lung).sum()) for vote in (*votes, voted)]
    files.write_prepared(folder / "voted.nii.gz", (voted & prepared.lung).astype(numpy.uint8), SPACING_MM)
    for name, prefix, healthy in (("vote", "", voted), ("none", "none-", tables.healthy_of_none(prepared)),
                                  ("oracle", "oracle-", tables.healthy_of_oracle(prepared, truth))):
        grown, core = answers.add(name, healthy)
        files.write_nifti(folder / f"{prefix}lesions.nii.gz", grown.astype(numpy.uint8), affine)
        files.write_nifti(folder / f"{prefix}without-growing.nii.gz", core.astype(numpy.uint8), affine)
    described["answers"] = answers.rows
    if case.name in CASES_WITH_VOTE:
        described["vote"] = write_vote(folder, case, values, mask, truth, affine)
    write_json(folder / "case.json", described)
    return answers.rows


def write_prepared_pair(folder, name, prepared):
    files.write_prepared(folder / f"{name}.image.nii.gz", voxels.stored_numbers(prepared.image), SPACING_MM)
    files.write_prepared(folder / f"{name}.lung.nii.gz", prepared.lung.astype(numpy.uint8), SPACING_MM)


def write_vote(folder, case, values, mask, truth, affine):
    """For the command vote. healthy-1 is stored upright whatever the CT's own orientation is."""
    votes = cases.voters(case, values, mask, truth)
    for number, vote in enumerate(votes):
        as_stored, its_affine = vote.astype(numpy.uint8), affine
        if number == 1:
            as_stored = numpy.ascontiguousarray(numpy.transpose(mask_in_ras(as_stored, affine), (2, 1, 0)))
            its_affine = affine_in_ras(affine, vote.shape)
        files.write_nifti(folder / f"healthy-{number}.nii.gz", as_stored, its_affine)
    spacing_mm = voxels.file_spacing_mm(affine)
    described = {"box9": postprocessing.box_size(9, spacing_mm), "box7": postprocessing.box_size(7, spacing_mm)}
    for name, limit in (("vote", None), ("vote-limited", GROWTH_LIMIT_MM)):
        healthy, grown, core, figures = tables.vote_command(values, mask, votes, affine, limit)
        described[name] = {"growthLimit": limit, "healthyVoxels": int(healthy.sum()), **figures}
        files.write_nifti(folder / f"{name}-lesions.nii.gz", grown.astype(numpy.uint8), affine)
        if limit is None:
            files.write_nifti(folder / f"{name}.nii.gz", healthy.astype(numpy.uint8), affine)
            files.write_nifti(folder / f"{name}-without-growing.nii.gz", core.astype(numpy.uint8), affine)
    others = {"union": [votes[0] | votes[1] | votes[2]], "intersection": [votes[0] & votes[1] & votes[2]],
              **{f"only-{number}": [vote] for number, vote in enumerate(votes)}}
    described["lesionVoxelsIfItWere"] = {
        name: tables.vote_command(values, mask, vote, affine)[3]["lesionVoxels"] for name, vote in others.items()}
    return described


def write_data_set(folder, inputs_by_name):
    """Two cases in one data set: one window size, the largest that is needed."""
    folder.mkdir()
    chosen = [(case, inputs_by_name[case.name]) for case in cases.CASES if case.name in CASES_WITH_TRAINING]
    alone = [voxels.prepare(inputs[4], inputs[1], inputs[3], SPACING_MM, LEAST_PLANE, STRIDE_PRODUCT)
             for _, inputs in chosen]
    size = tuple(max(prepared.grid.size[axis] for prepared in alone) for axis in range(2))
    volumes, described = [], []
    for case, (_, mask, _, affine, values) in chosen:
        volume = voxels.prepare(values, mask, affine, SPACING_MM, LEAST_PLANE, STRIDE_PRODUCT, size, training=True)
        excluded = voxels.excluded_slices(case.left_out, affine, case.shape, SPACING_MM) if case.left_out else []
        volumes.append(volume)
        described.append({"name": case.name, **describe_training(volume, excluded)})
        files.write_prepared(folder / f"{case.name}.image.nii.gz", voxels.stored_numbers(volume.image), SPACING_MM)
        files.write_prepared(folder / f"{case.name}.lung.nii.gz", volume.lung.astype(numpy.uint8), SPACING_MM)
    found = training.slabs([volume["lungVoxelsBySlice"] for volume in described],
                           [volume["excludedSlices"] for volume in described], SLAB_DEPTH)
    taken = calibration.slabs_taken(found)
    write_json(folder / "dataset.json", {
        "windowSize": size, "spacing": SPACING_MM, "slabDepth": SLAB_DEPTH, "volumes": described,
        "slabs": [{"volume": volume, "firstSlice": first, "lambda": share} for volume, first, share in found],
        "calibrationSlabs": [found.index(slab) for slab in taken]})
    return volumes, taken


def write_post_processing(folder):
    """Boxes of 9, 5 and unequal sizes, which no CT of coarse voxels has: noise with structure on a small grid."""
    folder.mkdir()
    table = []
    for number, (spacing_mm, limit) in enumerate((((1.0, 0.8, 0.8), None), ((2.0, 1.6, 1.6), None),
                                                  ((2.0, 1.6, 1.6), 5.0), ((5.0, 0.7, 0.9), None),
                                                  ((3.0, 2.4, 2.4), None))):
        random = numpy.random.default_rng(50 + number // 2)
        shape = (12, 20, 22)
        smooth = scipy.ndimage.gaussian_filter(random.normal(0, 1, shape), 1.5)
        image = numpy.clip(smooth / smooth.std() * 0.35 + 0.05 + random.normal(0, 0.05, shape), 0, 1)
        lung = scipy.ndimage.gaussian_filter(random.normal(0, 1, shape), 3) > -0.02
        # A sheet one voxel thick is a fifth of a box of 5: not above it.
        if number in (1, 2):
            image[:, 8:18, 12:] = 0.0
            lung[:, 8:18, 12:] = True
            image[:, 13, 12:] = 0.9
        numbers = voxels.stored_numbers(numpy.where(lung, image, 0.0).astype(numpy.float32))
        healthy = (scipy.ndimage.gaussian_filter(random.normal(0, 1, shape), 1.0) > 0.1) & lung
        if number in (1, 2):
            healthy[:, 10:17, 13:] = False
        grown, core = postprocessing.post_process(voxels.read_back(numbers), lung, healthy, spacing_mm, limit)
        for name, array in (("image", numbers), ("lung", lung), ("healthy", healthy), ("lesions", grown),
                            ("without-growing", core)):
            array = array if array.dtype == numpy.uint16 else array.astype(numpy.uint8)
            files.write_prepared(folder / f"{number}.{name}.nii.gz", array, spacing_mm)
        table.append({"number": number, "spacing": spacing_mm, "growthLimit": limit,
                      "box9": postprocessing.box_size(9, spacing_mm), "box7": postprocessing.box_size(7, spacing_mm),
                      "lesionVoxels": int(grown.sum()), "withoutGrowingVoxels": int(core.sum()),
                      "coreOutsideOfAnswer": int((core & ~grown).sum())})
    write_json(folder / "postprocessing.json", table)


def evaluate(rows_by_case):
    """The table over all cases: mean, standard deviation and number of every score of every row."""
    result = {}
    for name in ("none", "replica-0", "replica-1", "replica-2", "vote", "oracle"):
        result[name] = {
            kind: {score: tables.summary([rows[name][kind][score] for rows in rows_by_case.values()])
                   for score in ("dice", "precision", "sensitivity", "specificity")}
            for kind in ("grown", "withoutGrowing")}
    return result


def main(out):
    out.mkdir(parents=True)
    inputs_by_name, prepared_by_name = {}, {}
    for case in cases.CASES:
        stored, mask, truth = cases.make(case)
        affine, _ = cases.affines(case)
        values = stored * case.slope + case.intercept
        inputs_by_name[case.name] = (stored, mask, truth, affine, values)
        prepared_by_name[case.name] = voxels.prepare(values, mask, affine, SPACING_MM, LEAST_PLANE, STRIDE_PRODUCT)
    networks_of_run = replicas.make(out, list(prepared_by_name.values()), SLAB_DEPTH)
    write_json(out / "configuration.json", {
        "spacing": SPACING_MM, "leastPlane": LEAST_PLANE, "slabDepth": SLAB_DEPTH, "threshold": THRESHOLD, "tau": 0.33,
        "network": networks.metadata_of(replicas.CHANNELS, replicas.STRIDES, replicas.RESIDUAL_UNITS)})
    rows = {case.name: write_case(out / case.name, case, inputs_by_name[case.name], networks_of_run,
                                  prepared_by_name[case.name]) for case in cases.CASES}
    write_json(out / "evaluate.json", evaluate(rows))
    volumes, taken = write_data_set(out / "data-set", inputs_by_name)
    goldens_of_training.write_calibration(out, networks_of_run, volumes, taken[1::3][:3], SLAB_DEPTH, SPACING_MM)
    image, target = goldens_of_training.write_sample(out / "samples", volumes[0], SPACING_MM)
    goldens_of_training.write_losses(out / "loss.json", networks_of_run[0], image, target)
    write_post_processing(out / "postprocessing")
    write_json(out / "edges.json", goldens_of_numbers.all_tables())
    (out / "README.txt").write_text(README)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
