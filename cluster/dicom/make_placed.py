"""Makes DICOM series of one CT that lies in the scanner in several ways, to be segmented.

    make_placed.py CT.nii.gz OUT

Each folder of OUT is one series: as stored, downwards, turned obliquely, by its sagittal planes, compressed, and
cropped to odd sizes, so that frames of one bit a voxel begin within bytes.
"""
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np

from make_dicom import Source, converted, series, write

ct, out = nibabel.load(sys.argv[1]), Path(sys.argv[2])


def turned(about, degrees):
    """A rotation in millimetres."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.eye(4)
    i, j = [k for k in range(3) if k != about]
    rotation[i, i], rotation[i, j], rotation[j, i], rotation[j, j] = c, -s, s, c
    return rotation


def source(image, name):
    path = out / f"{name}.nii.gz"
    nibabel.save(image, path)
    made = Source(path)
    path.unlink()
    return made


def flipped(hu, affine, axes):
    matrix = np.eye(4)
    for axis in axes:
        matrix[axis, axis], matrix[axis, 3] = -1, hu.shape[axis] - 1
    return np.flip(hu, axes), affine @ matrix


hu, affine = np.asarray(ct.dataobj), ct.affine
if np.linalg.det(affine[:3, :3]) < 0:
    hu, affine = flipped(hu, affine, [1])
order = np.argmax(np.abs(affine[:3, :3]), axis=0)
if list(order) != [0, 1, 2]:
    sys.exit("make_placed.py: take a CT whose axes are left to right, front to back, up")
out.mkdir(parents=True)


def image(values, matrix):
    return nibabel.Nifti1Image(np.ascontiguousarray(values), matrix)


write(out / "upright", series(source(image(hu, affine), "upright")))
write(out / "downwards", series(source(image(*flipped(hu, affine, [1, 2])), "downwards")), "1.2.840.{:d}")
oblique = turned(0, 9) @ turned(2, -14) @ affine
write(out / "oblique", series(source(image(hu, oblique), "oblique")))
columns = affine[:, [1, 2, 0, 3]]
write(out / "sagittal", series(source(image(hu.transpose(1, 2, 0), columns), "sagittal")))
write(out / "odd", series(source(image(hu[:-1 - hu.shape[0] % 2, :-1 - hu.shape[1] % 2], affine), "odd")), "{:d}.dcm")
converted(source(image(hu, affine), "jpeg-lossless"), out / "jpeg-lossless", "dcmcjpeg", "+e1")
