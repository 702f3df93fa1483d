"""NIfTI-1 files whose headers contradict themselves, and what nibabel and SimpleITK make of them.

    python3 make_headers.py       # writes headers/ beside itself; needs numpy, nibabel, SimpleITK
"""
import json
import os
import struct

import nibabel as nib
import numpy as np
import SimpleITK as sitk

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "headers")
DATA = np.arange(24, dtype=np.int16).reshape(4, 3, 2) * 10 - 100
A = np.diag([-0.7, -0.8, 2.5, 1])
A[:3, 3] = [10, 20, -30]
NAN = float("nan")
rows = []


def write(name, *patches, sform=A, qform=A, scode=1, qcode=1):
    image = nib.Nifti1Image(DATA, None)
    image.header.set_xyzt_units(2, 8)
    image.set_qform(A if qform is None else qform, qcode)
    image.set_sform(A if sform is None else sform, scode)
    path = os.path.join(HERE, name + ".nii")
    nib.save(image, path)
    with open(path, "r+b") as f:
        for offset, form, *values in patches:
            f.seek(offset)
            f.write(struct.pack("<" + form, *values))
    rows.append(dict(name=name + ".nii", nibabel=by_nibabel(path), simpleITK=by_simpleitk(path)))


def finite(affine, values):
    affine, values = np.asarray(affine, float)[:3].ravel(), np.asarray(values, float).ravel()
    if values.size == 0 or not np.isfinite(affine).all():
        return None
    return dict(affine=affine.tolist(), values=values.tolist())


def by_nibabel(path):
    try:
        image = nib.load(path)
        return finite(image.affine, np.asarray(image.dataobj).reshape(image.shape[:3]).transpose(2, 1, 0))
    except Exception:
        return None


def by_simpleitk(path):
    try:
        image = sitk.ReadImage(path)
    except Exception:
        return None
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return finite(np.diag([-1, -1, 1, 1]) @ affine, sitk.GetArrayFromImage(image))


def unit(offset=True):
    u = np.diag([-1.0, -1, 1, 1])
    u[:3, 3] = A[:3, 3] if offset else 0
    return u


os.makedirs(HERE, exist_ok=True)
sitk.ProcessObject_SetGlobalWarningDisplay(False)
stretched, rounded, flipped, sheared = A.copy(), A.copy(), A.copy(), A.copy()
stretched[2, 2] *= 0.8 / 0.6
rounded[0, 0] = -0.703
flipped[0, 0] = 0.7
sheared[1, 2] = np.tan(np.radians(30)) * 2.5
write("good")
write("slope_nan", (112, "f", NAN))
write("slope_intercept_nan", (112, "ff", NAN, NAN))
write("slope_infinite", (112, "f", float("inf")))
write("slope_nan_intercept", (112, "ff", NAN, 5))
write("slope_0_intercept", (112, "ff", 0, 5))
write("intercept_nan", (112, "ff", 2, NAN))
write("sform_zero", (280, "12f", *[0] * 12))
write("sform_zero_no_qform", (280, "12f", *[0] * 12), (252, "h", 0))
write("pixdim_0", (80, "3f", 0, 0, 0))
write("pixdim_0_along_z", (88, "f", 0))
write("pixdim_0_no_qform", (80, "3f", 0, 0, 0), (252, "h", 0))
write("pixdim_0_no_sform", (88, "f", 0), (254, "h", 0))
write("pixdim_negative", (80, "3f", -0.7, -0.8, -2.5))
write("pixdim_1_no_qform", (80, "3f", 1, 1, 1), (252, "h", 0))
write("pixdim_other_no_qform", (88, "f", 3), (252, "h", 0))
write("dim4_0", (40, "8h", 4, 4, 3, 2, 0, 1, 1, 1))
write("dim5_0", (40, "8h", 5, 4, 3, 2, 1, 0, 1, 1))
write("bitpix_8", (72, "h", 8))
write("bitpix_0", (72, "h", 0))
write("ni1", (344, "4s", b"ni1\0"))
write("sform_unit", sform=unit())
write("sform_identity", sform=np.eye(4))
write("sform_unit_no_qform", (252, "h", 0), sform=unit())
write("sform_stretched", sform=stretched)
write("sform_rounded", sform=rounded)
write("sform_flipped", sform=flipped)
write("sform_sheared", sform=sheared)
write("qform_nan", (256, "f", NAN))
write("units_metres", (123, "B", 1))
write("units_microns", (123, "B", 3))
with open(os.path.join(HERE, "expected.json"), "w") as f:
    json.dump(rows, f)
for row in rows:
    print(row["name"], *(None if r is None else (np.round(np.array(r["affine"])[[0, 5, 10]], 3).tolist(),
                                                 r["values"][:2]) for r in (row["nibabel"], row["simpleITK"])))
