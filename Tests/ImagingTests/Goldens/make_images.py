"""Goldens for reading images, orientation and resampling. Needs numpy, scipy, nibabel.

    python3 make_images.py        # writes images/, orientations.json and resampling.json beside itself
"""
import json
import os

import nibabel as nib
import numpy as np
import scipy.ndimage as nd

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20261121)


def rotation():
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    return q * np.sign(np.diag(r))


def affine(spacing, matrix=None, flips=(1, 1, 1)):
    a = np.eye(4)
    a[:3, :3] = (rotation() if matrix is None else matrix) * np.array(flips) @ np.diag(spacing)
    a[:3, 3] = rng.uniform(-200, 200, 3)
    return a


def save(name, data, transform, order, sform, qform, slope=None, inter=0, pair=False):
    header = nib.Nifti1Header(endianness=order)
    cls = nib.Nifti1Pair if pair else nib.Nifti1Image
    header.set_data_dtype(np.dtype(data.dtype).newbyteorder(order))
    image = cls(data, None, header)
    image.header.set_zooms((0.7, 0.8, 2.5))
    if sform:
        image.set_sform(transform, sform)
    if qform:
        image.set_qform(transform if not sform else affine((0.7, 0.8, 2.5)), qform)
    if slope is not None:
        image.header.set_slope_inter(slope, inter)
    nib.save(image, os.path.join(HERE, "images", name))


def expected(name):
    image = nib.load(os.path.join(HERE, "images", name))
    h = image.header
    if h["sform_code"] == 0 and h["qform_code"] == 0:
        # nifti1.h, method 1; nibabel would centre and mirror the grid.
        place = np.diag([*h.get_zooms()[:3], 1.0])
    else:
        place = image.affine
    return dict(name=name, shape=list(image.shape[::-1]), affine=np.asarray(place, float)[:3].ravel().tolist(),
                values=np.asarray(image.dataobj, float).transpose(2, 1, 0).ravel().tolist(),
                axes="".join(nib.aff2axcodes(place)))


def images():
    rows = []
    types = dict(uint8=(0, 255), int8=(-128, 127), uint16=(0, 65535), int16=(-32768, 32767), uint32=(0, 2**24),
                 int32=(-2**24, 2**24), uint64=(0, 2**24), int64=(-2**24, 2**24), float32=None, float64=None)
    for dtype, limits in types.items():
        shape = (4, 3, 2)
        if limits:
            data = rng.integers(limits[0], limits[1], shape, dtype=np.int64, endpoint=True).astype(dtype)
            data.flat[0], data.flat[1] = limits
        else:
            data = rng.normal(0, 500, shape).astype(dtype)
        for order, word in (("<", "little"), (">", "big")):
            name = f"{dtype}_{word}.nii"
            save(name, data, affine((0.7, 0.8, 2.5)), order, 1, 0)
            rows.append(expected(name))
    data = rng.integers(0, 4096, (4, 3, 2)).astype(np.int16)
    for name, sform, qform, extra in (
            ("sform_before_qform.nii.gz", 2, 1, {}), ("qform_only.nii.gz", 0, 1, {}), ("no_form.nii", 0, 0, {}),
            ("scaled.nii.gz", 1, 0, dict(slope=0.25, inter=-1024)), ("pair.hdr", 1, 0, dict(pair=True)),
            ("pair_big.hdr", 1, 0, dict(pair=True))):
        order = ">" if "big" in name else "<"
        flips = (1, 1, -1) if name.startswith("qform") else (1, 1, 1)
        save(name, data, affine((0.7, 0.8, 2.5), flips=flips), order, sform, qform, **extra)
        rows.append(expected(name))
    with open(os.path.join(HERE, "images", "expected.json"), "w") as f:
        json.dump(rows, f)


def orientations():
    rows = []
    for _ in range(150):
        matrix = rotation() if rng.random() < 0.7 else rotation() + rng.normal(0, 0.15, (3, 3))
        a = affine(rng.uniform(0.5, 5, 3), matrix).round(3)
        rows.append(dict(affine=a[:3].ravel().tolist(), axes="".join(nib.aff2axcodes(a))))
    with open(os.path.join(HERE, "orientations.json"), "w") as f:
        json.dump(rows, f)


def resample(array, spacing, grid, shape, order):
    """As the reference of the method: the first voxels' corners coincide, the edge goes on outside."""
    ratio = np.asarray(grid) / spacing
    return nd.affine_transform(array, ratio, offset=0.5 * ratio - 0.5, output_shape=tuple(shape), order=order,
                               mode="nearest")


def resampling():
    rows = []
    for shape, spacing, grid in (
            ((5, 9, 11), (2, 0.6, 0.6), (2, 1.6, 1.6)), ((6, 7, 8), (1.25, 0.7, 0.7), (1.0, 0.8, 0.8)),
            ((4, 6, 5), (2.5, 1.4, 1.4), (1.0, 0.8, 0.8)), ((9, 8, 13), (1, 0.5, 0.5), (3.1, 1.0, 2.2)),
            ((1, 1, 1), (1, 1, 1), (0.4, 0.5, 0.6)), ((3, 2, 1), (1, 1, 1), (2.5, 1, 1))):
        n = int(np.prod(shape))
        array = ((np.arange(n, dtype=np.int64) * 7919 % 2003) - 1000).astype(np.float32).reshape(shape)
        target = np.maximum(1, np.round(np.array(shape) * spacing / grid)).astype(int)
        k = np.maximum(1, np.floor(1.001 * np.array(grid) / spacing)).astype(int)
        fine = resample(array.astype(np.float64), spacing, np.array(grid) / k, target * k, 1)
        mean = fine.reshape(target[0], k[0], target[1], k[1], target[2], k[2]).mean((1, 3, 5))
        mask = (array > 0).astype(np.uint8)
        small = resample(mask, spacing, grid, target, 0)
        rows.append(dict(shape=list(shape), spacing=list(spacing), grid=list(grid), target=target.tolist(),
                         averaged=mean.ravel().round(4).tolist(),
                         linear=resample(array.astype(np.float64), spacing, grid, target, 1).ravel().round(4).tolist(),
                         nearest=small.ravel().tolist(),
                         back=resample(small, grid, spacing, shape, 0).ravel().tolist()))
    with open(os.path.join(HERE, "resampling.json"), "w") as f:
        json.dump(rows, f)


images()
orientations()
resampling()
