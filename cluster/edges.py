"""The cases of ../shared/cases/ct-files with the program, and what is expected of each; cluster/edges.sh calls it.

    python3 edges.py CASES/ct-files      (QUINTET, RUN, OUT and DATA in the environment, CASES/ct-files on PYTHONPATH)
"""
import os
import re
import shutil
import subprocess
import sys

import nibabel
import numpy
from base import D, H, Q, RUN, p002, save, segment

failures = 0


def report(point, what, expected, found, holds):
    global failures
    failures += not holds
    print(f"{'ok' if holds else 'FAIL':4} {point:4} {what:58} expected: {expected}; found: {found[:150]}", flush=True)


def quintet(*words, **options):
    done = subprocess.run([Q, *words], capture_output=True, text=True, **options)
    return done.returncode, (done.stdout + done.stderr).strip().replace("\n", " ")


# Point, case, what it is, what is expected, and a pattern that the script's output must have.
SCRIPTS = {
    "t00_base": [
        ("-", "P002 as it is", "3969.2 ml of lung", r"p002 lesion \S+ lung 3969\.191"),
        ("-", "a whole field of view", "3500.5 ml of lung", r"fov lesion \S+ lung 3500\.504"),
    ],
    "t01_sform_scale": [
        ("B4", "sform of unit length, pixdim right", "3969.2 ml, not 312", r"acdc lesion \S+ lung 3969\.191"),
        ("B4", "the same, said", "a warning", r"an sform of unit length was never set"),
        ("B4", "sform 5.3 mm, pixdim 4.0 mm", "refused with both", r"refused: \S+ its sform's.{0,40}5\.3333.{0,60}4\.0 mm"),
    ],
    "t03_float_mask": [
        ("B2", "0 and 1 under an int16 header", "4035.1 ml", r"== int16hdr: rc=0[^=]*lung 4035\.133"),
        ("B2", "labels 0 and 2 in uint8", "4035.1 ml", r"== uint8hdr_lab2: rc=0[^=]*lung 4035\.133"),
        ("B2", "noise of 1e-7 to 1e-2 everywhere", "4035.1 ml, not 14.3 l", r"== tiny: rc=0[^=]*lung 4035\.133"),
        ("B2", "a spline from -0.5 to 1.6", "about 4 l, not 9.3", r"== spline: rc=0[^=]*lung (39|40)\d\d\."),
        ("B2", "linear interpolation", "about 4 l", r"== linear: rc=0[^=]*lung (39|40)\d\d\."),
    ],
    "t05_hu_offset": [
        ("B1", "HU + 1024 with a mask", "refused, --add-hu -1024", r"plus1024 lesion .*refused: .*--add-hu -1024"),
        ("B1", "HU + 1000 with a mask", "refused, --add-hu -1000", r"dirlab lesion .*refused: .*--add-hu -1000"),
        ("B1", "wrapped round", "refused: export as signed", r"wrapped lesion .*refused: .*signed"),
        ("B1", "0 to 1", "refused: the original", r"norm01 lesion .*refused: .*original CT"),
        ("B1", "bytes", "refused", r"byte lesion  lung .*refused: byte"),
    ] + [
        ("B1", f"prepare of {name}", "code 1, named", rf"prepare {name} 1 .*not in Hounsfield units")
        for name in ("plus1024", "dirlab", "wrapped", "norm01", "byte")
    ],
    "t08_tilt": [
        ("B5", f"a tilt of {degrees} degrees, with a mask", "ml by the determinant",
         rf"tilt{degrees} lesion (\S+) lung (\d+\.\d)\S* %[^\n]*\n   true ml by determinant: lesion \S+ lung \2;")
        for degrees in (10, 20, 30)
    ],
    "t09_fill0": [
        ("B3", f"{name} outside of the circle", "the same lungs", rf"== {name}: rc=0[^=]*dice lesion 1\.0 lung 1\.0")
        for name in ("pad2000", "pad3024", "pad32768", "circle0", "circle3071")
    ] + [
        ("B3", f"{name}", "the same lungs, 99% and more",
         rf"== {name}: rc=0[^=]*lung \{{'in2': (0\.99|1\.0)\d*, 'in1': (0\.99|1\.0)")
        for name in ("box0", "boxm1024")
    ] + [
        ("B3", f"{name}, turned 12 and 6 degrees", "3.5 l, not 13 or none", rf"{name} lesion \S+ lung 3[45]\d\d\.")
        for name in ("rot0", "rotm1024")
    ],
    "t14_names": [
        ("A2", "a mask missing: the neighbour's is not taken", "refused", r"== miss: rc=3[^=]*pat1/ct lesion  lung"),
        ("A2", "a mask too many", "each its own", r"== extra: rc=0[^=]*pat1/ct lesion 154\.424[^=]*pat2/ct lesion 153\.768"),
        ("A2", "masks in a flat folder", "each its own", r"== flat: rc=0[^=]*pat1/ct lesion 154\.424"),
        ("A2", "'a b' and 'a_b'", "each its own", r'dice with mask of "a b" 0\.813 of "a_b" 1\.0'),
        ("B8", "x.nii/x.nii", "one CT", r"== kaggle: rc=0"),
        ("A2", "NFC and NFD", "paired", r"== uni: rc=0"),
        ("A2", "_0000", "paired", r"== nnu: rc=0"),
        ("A2", "Case1.NII.GZ and case1.nii.gz", "paired", r"== case: rc=0"),
        ("B8", "a folder of DICOM", "named", r"DICOM"),
        ("A2", "names that share 120 bytes", "each its own", r"== long: rc=3[^=]*9\.2 lesion 153\.768"),
    ],
    "t19_evalvote": [
        ("B7", f"truth stored as {name}", "Dice 1", rf'^{name} 0 .*?"mean" : 1,') for name in ("RAS", "f64", "prob", "noise")
    ] + [("B7", "truth 469 mm away", "refused", r"^eye 1 .*mm away")],
    "t20_vote": [
        ("B7", f"{name}", "127.57 ml as if aligned", rf'^{name} 0 .*"lesionML" : 127\.57,')
        for name in ("voteRAS", "lungRAS", "voteSPL")
    ] + [("B7", "votes on a foreign grid", "refused", r"^vote_eye 1 .*mm away")],
    "t22_meta_minimal": [
        ("B10", "a minimal header of 2001", "3969.2 ml", r"min2001 lesion \S+ lung 3969\.191"),
        ("B10", "a matrix over several lines", "3969.2 ml", r"multiline lesion \S+ lung 3969\.191"),
    ],
}


def scripts(folder):
    for name, checks in SCRIPTS.items():
        done = subprocess.run([sys.executable, f"{folder}/{name}.py"], capture_output=True, text=True)
        output = done.stdout + done.stderr
        with open(f"{H}/{name}.txt", "w") as file:
            file.write(output)
        for point, what, expected, pattern in checks:
            match = re.search(pattern, output, re.MULTILINE)
            found = re.sub(r"\s+", " ", match.group(0))[-150:] if match else f"not in {H}/{name}.txt"
            report(point, what, expected, found, match is not None)


def in_place():
    """A1: the mask of ct.nii.gz in the folder of ct.nii.gz is called ct.nii.gz."""
    folder = f"{H}/w/inplace"
    shutil.rmtree(folder, ignore_errors=True)
    volume, affine, _ = p002()
    path = save(f"{folder}/ct.nii.gz", volume, affine)
    before = open(path, "rb").read()
    code, text = quintet("segment", "--run", RUN, "--in", "ct.nii.gz", "--out", ".", cwd=folder)
    same = open(path, "rb").read() == before and os.listdir(folder) == ["ct.nii.gz"]
    report("A1", "segment --in ct.nii.gz --out .", "refused, the CT as it was", f"code {code}, {text}", code == 1 and same)
    code, text = quintet("segment", "--run", RUN, "--in", folder, "--out", f"{folder}/masks")
    report("A1", "--out inside the archive", "refused", f"code {code}, {text}", code == 1 and "outside" in text)


def few_slices():
    """B6, after t16b: sub-stacks around the slice with most lesion."""
    image = nibabel.load(D + "/P002_ct.nii.gz")
    lung = nibabel.load(D + "/P002_lung_auto.nii.gz")
    voxels, mask = numpy.asanyarray(image.dataobj)[::2, ::2], numpy.asanyarray(lung.dataobj)[::2, ::2]
    affine = image.affine @ numpy.diag([2, 2, 1, 1])
    for count, expected in ((1, "refused"), (3, "refused"), (9, "a warning"), (33, "no word of thinness")):
        first, name = 37 - count // 2, f"sub{count}"
        path = save(f"{H}/w/few/{name}.nii.gz", voxels[:, :, first:first + count].copy(), affine)
        save(f"{H}/w/fewm/{name}.nii.gz", mask[:, :, first:first + count].copy(), affine)
        answer = segment(path, f"{H}/o/{name}", "--masks", f"{H}/w/fewm")
        row = answer["rows"][0]
        thin = "top to bottom" in row["warnings"]
        holds = {"refused": bool(row["refused"]), "a warning": thin, "no word of thinness": not thin}[expected]
        report("B6", f"{count} slices of 2 mm", expected, row["refused"] or row["warnings"] or row["lesion_ml"] + " ml", holds)


def leave_out():
    """B8, after t18: slices that are not this scan's, and an axis that is not the axial one."""
    from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
    volume, affine, _ = p002()
    image = nibabel.Nifti1Image(volume, affine)
    turned = image.as_reoriented(ornt_transform(io_orientation(affine), axcodes2ornt("SPL")))
    cases = [("slices 20 to 29", image, range(20, 30), 0), ("slices 100 to 139 of 66", image, range(100, 140), 1),
             ("the third axis is x", turned, range(20, 30), 1)]
    for what, file, slices, expected in cases:
        folder = f"{H}/w/leave"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(f"{H}/o/leave", ignore_errors=True)
        os.makedirs(folder)
        nibabel.save(file, f"{folder}/p002.nii.gz")
        with open(f"{H}/w/leave.csv", "w") as table:
            table.write("slice_z\n" + "\n".join(map(str, slices)) + "\n")
        code, text = quintet(
            "prepare", folder, "--out", f"{H}/o/leave", "--preset", "demo", "--leave-out", f"{H}/w/leave.csv")
        report("B8", f"--leave-out: {what}", "taken" if expected == 0 else "refused by name", f"code {code}, {text}",
               code == expected)


def main():
    os.makedirs(H, exist_ok=True)
    for folder in ("w", "o"):
        shutil.rmtree(f"{H}/{folder}", ignore_errors=True)
    scripts(sys.argv[1])
    in_place()
    few_slices()
    leave_out()
    print(f"{failures} not as expected")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
