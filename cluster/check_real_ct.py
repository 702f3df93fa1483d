"""Checks what cluster/real_ct.sh wrote with an independent reader (nibabel): do masks lie on the CT's own grid, how
large is the false-positive share on the healthy volume, and does the lesion area by slice agree with a radiologist's
labels (area under the ROC curve over the slices of P002)?

    python3 check_real_ct.py SHARED_DATA OUT
"""
import csv
import sys

import nibabel
import numpy


def area_under_curve(scores, labels):
    """The chance that a slice with findings has a larger area than one without, ties half."""
    positives, negatives = scores[labels], scores[~labels]
    wins = (positives[:, None] > negatives[None]).sum() + 0.5 * (positives[:, None] == negatives[None]).sum()
    return wins / (len(positives) * len(negatives))


def main():
    data, out = sys.argv[1:]
    with open(f"{data}/P002_slices.csv") as file:
        labels = numpy.array([row["lesion"] != "0" for row in csv.DictReader(file)])
    answers = [("none", f"{out}/none")] + [(f"replica-{k}", f"{out}/masks/replica-{k}") for k in range(5)]
    answers += [("vote", f"{out}/masks"), ("vote, not grown", f"{out}/masks/without-growing")]
    cts = {name: nibabel.load(f"{data}/{name}_ct.nii.gz") for name in ("P002", "normal001")}
    lungs = {name: numpy.asarray(nibabel.load(f"{data}/{name}_lung_auto.nii.gz").dataobj) > 0 for name in cts}
    in_lung = lungs["P002"].any((0, 1))
    print(f"{'answer':18} {'P002 ml':>9} {'P002 %':>7} {'AUC':>6} {'AUC in lung':>12} {'normal001 ml':>13} {'%':>6}")
    for answer, folder in answers:
        row = []
        for name, ct in cts.items():
            mask = nibabel.load(f"{folder}/{name}.nii.gz")
            same = (mask.shape == ct.shape and (mask.affine == ct.affine).all()
                    and (mask.get_qform() == ct.get_qform()).all()
                    and mask.header.get_zooms() == ct.header.get_zooms())
            assert same, f"{folder}/{name}.nii.gz does not lie on the grid of its CT"
            voxels = numpy.asarray(mask.dataobj) > 0
            assert not (voxels & ~lungs[name]).any(), f"{folder}/{name}.nii.gz reaches out of the lung mask"
            row += [voxels.sum() * numpy.prod(ct.header.get_zooms()) / 1000, 100 * voxels.sum() / lungs[name].sum()]
            if name == "P002":
                area = voxels.sum((0, 1))
                row += [area_under_curve(area, labels), area_under_curve(area[in_lung], labels[in_lung])]
        print("{:18} {:9.1f} {:7.2f} {:6.3f} {:12.3f} {:13.1f} {:6.2f}".format(answer, *row))
    print("every mask: same shape, spacing, sform and qform as its CT, and inside the lung mask")


if __name__ == "__main__":
    main()
