"""What `quintet segment --dicom-seg` wrote, read by pydicom and highdicom and checked by dciodvfy.

    read_seg.py SERIES MASKS FOLDER=LABEL ...

SERIES has a folder for each series, MASKS the answers of it; of every FOLDER of MASKS ("." for itself) the NIfTI
mask must be the segment called LABEL, voxel by voxel in the patient's millimetres. The patient, study, frame of
reference and slices must be those of the series.
"""
import subprocess
import sys
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pydicom

series, masks = Path(sys.argv[1]), Path(sys.argv[2])
segments = dict(word.split("=") for word in sys.argv[3:])
failures = 0


def tell(name, isRight, text):
    global failures
    failures += not isRight
    print(f"{'ok  ' if isRight else 'FAIL'} {name}: {text}")


def by_frames(ds, number, mask):
    """The segment on the mask's grid, by where each frame says that it lies."""
    shared = ds.SharedFunctionalGroupsSequence[0]
    spacing = [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing]
    o = np.array([float(v) for v in shared.PlaneOrientationSequence[0].ImageOrientationPatient]).reshape(2, 3)
    inverse = np.linalg.inv(np.diag([-1, -1, 1, 1]) @ mask.affine)
    found, worst = np.zeros(mask.shape, np.uint8), 0.0
    pixels = ds.pixel_array.reshape(-1, ds.Rows, ds.Columns)
    for frame, values in zip(ds.PerFrameFunctionalGroupsSequence, pixels):
        if frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber != number:
            continue
        row, column = np.nonzero(values)
        start = np.array([float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient])
        place = start + np.outer(column * spacing[1], o[0]) + np.outer(row * spacing[0], o[1])
        index = place @ inverse[:3, :3].T + inverse[:3, 3]
        near = np.rint(index).astype(int)
        worst = max([worst, *np.abs(index - near).max(axis=1)])
        found[tuple(near.T)] += 1
    return found, worst


def check(name):
    path = masks / f"{name}.seg.dcm"
    ds = pydicom.dcmread(path)
    slices = {}
    for file in (series / name).rglob("*"):
        if file.is_file():
            one = pydicom.dcmread(file, stop_before_pixels=True)
            slices[one.SOPInstanceUID] = one
    first = next(iter(slices.values()))
    tags = ["PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyID",
            "AccessionNumber", "FrameOfReferenceUID"]
    others = [tag for tag in tags if ds.get(tag) != first.get(tag)]
    tell(name, not others, f"the patient's and study's: {'all' if not others else others}")
    referred = {item.ReferencedSOPInstanceUID for item in ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    isSame = referred == set(slices) and ds.ReferencedSeriesSequence[0].SeriesInstanceUID == first.SeriesInstanceUID
    tell(name, isSame, f"refers to {len(referred)} of {len(slices)} slices")
    places = [(frame, slices.get(frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID))
              for frame in ds.PerFrameFunctionalGroupsSequence]
    aside = [one for frame, one in places if one is None or np.abs(
        np.array(one.ImagePositionPatient, float)
        - np.array(frame.PlanePositionSequence[0].ImagePositionPatient, float)).max() > 1e-6]
    tell(name, not aside, f"{len(places)} frames lie where their slices do")
    seg = highdicom.seg.segread(path)
    for folder, label in segments.items():
        mask = nibabel.load(masks / folder / f"{name}.nii.gz")
        numbers = [item.SegmentNumber for item in ds.SegmentSequence if item.SegmentLabel == label]
        voxels = np.asarray(mask.dataobj) != 0
        found, worst = by_frames(ds, numbers[0], mask)
        tell(name, np.array_equal(found, voxels), f"{label}: {int(found.sum())} voxels, {int(voxels.sum())} in NIfTI, "
             f"at most {worst:.2g} voxels aside")
        # As highdicom puts it together, on the grid of the whole series.
        volume = seg.get_volume(segment_numbers=numbers, combine_segments=True, relabel=True)
        grid = np.linalg.inv(mask.affine) @ np.diag([-1, -1, 1, 1]) @ volume.affine
        index = np.argwhere(volume.array != 0)
        near = np.rint(index @ grid[:3, :3].T + grid[:3, 3]).astype(int)
        again = np.zeros(mask.shape, bool)
        again[tuple(near.T)] = True
        tell(name, np.array_equal(again, voxels), f"{label}: the same by highdicom {highdicom.__version__}'s volume")
    said = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True)
    lines = (said.stdout + said.stderr).splitlines()
    errors = [line for line in lines if line.startswith("Error")]
    warnings = sum(line.startswith("Warning") for line in lines)
    tell(name, not errors, f"dciodvfy: {len(errors)} errors, {warnings} warnings")
    for line in lines:
        print("     " + line)


for folder in sorted(path.name for path in series.iterdir() if path.is_dir()):
    check(folder)
print("all as it must be" if failures == 0 else f"{failures} are wrong")
sys.exit(failures > 0)
