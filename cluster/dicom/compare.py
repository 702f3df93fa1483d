"""What quintet-dicom makes of the cases of make_dicom.py.

    compare.py QUINTET-DICOM CT.nii.gz CASES
"""
import json
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np

program, ct, cases = sys.argv[1], nibabel.load(sys.argv[2]), Path(sys.argv[3])
expected = json.loads((cases / "cases.json").read_text())
hu, failures = np.asarray(ct.dataobj), 0


def ask(words, paths):
    joined = b"".join(str(path).encode() + b"\0" for path in paths)
    return subprocess.run([program, *words], input=joined, capture_output=True)


def outcome(case):
    """Of every CT series in a folder: "equal", or why not."""
    paths = sorted(path for path in (cases / case).rglob("*") if path.is_file())
    lines = ask(["list"], paths).stdout.decode().splitlines()
    for found in (json.loads(line) for line in lines if not line.startswith("@")):
        if not found.get("isCT"):
            continue
        if found["refusal"]:
            yield found["refusal"]
            continue
        read = ask(["read", found["uid"]], [paths[i] for i in found["files"]])
        if read.returncode != 0:
            yield json.loads(read.stderr.decode().splitlines()[-1])["refusal"]
            continue
        image = nibabel.Nifti1Image.from_bytes(read.stdout)
        same = np.array_equal(np.asarray(image.dataobj), hu[..., :image.shape[2]])
        yield "equal" if same and np.abs(image.affine - ct.affine).max() < 1e-4 else "OTHER VOXELS OR PLACE"


def tell(case, isRight, text):
    global failures
    failures += not isRight
    print(f"{'ok  ' if isRight else 'FAIL'} {case}: {text[:150]}".replace(str(cases) + "/", ""))


for case in expected["equal"] + ["two-series"]:
    found = list(outcome(case))
    tell(case, found == ["equal"] * (2 if case == "two-series" else 1), ", ".join(found))
for case, words in expected["refused"].items():
    found = list(outcome(case))
    tell(case, len(found) == 1 and words in found[0], ", ".join(found))
tell("no-ct", not list(outcome("no-ct")), "no CT")
print("all as it must be" if failures == 0 else f"{failures} cases are wrong")
sys.exit(failures > 0)
