"""Reads and writes the files of a case: NIfTI by nibabel, MetaImage by a few lines of our own.

METHOD.md, "A file that contradicts itself": MetaImage lies in LPS as in ITK, NIfTI in RAS. Here everything is RAS.
"""

import gzip
import pathlib
import zlib

import nibabel
import numpy

TYPES_OF_METAIMAGE = {"MET_SHORT": "<i2", "MET_USHORT": "<u2", "MET_UCHAR": "<u1", "MET_FLOAT": "<f4"}
FLIP_LPS_TO_RAS = numpy.diag([-1.0, -1.0, 1.0])


def read_values(path):
    """Values as they count (slope and intercept applied, float64) in the file's order (i, j, k), and the affine."""
    path = pathlib.Path(path)
    if path.suffix == ".mha":
        return read_metaimage(path)
    image = nibabel.load(path)
    return numpy.asarray(image.dataobj, dtype=numpy.float64), numpy.asarray(image.affine, dtype=numpy.float64)


def read_mask_as(path, affine, shape):
    """VOXEL.md, station 2: a mask, turned to the voxel order of the CT whose affine and shape are given."""
    values, own_affine = read_values(path)
    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(own_affine), nibabel.io_orientation(affine))
    turned = nibabel.orientations.apply_orientation(values, turn)
    turned_affine = own_affine @ nibabel.orientations.inv_ornt_aff(turn, values.shape)
    if turned.shape != tuple(shape) or not numpy.allclose(turned_affine, affine, atol=1e-2):
        raise ValueError(f"{path}: a mask on another grid")
    return turned != 0


def nifti_bytes(values, affine, slope=None, intercept=None):
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    if slope is not None:
        image.header.set_slope_inter(slope, intercept)
    return image.to_bytes()


def write_nifti(path, values, affine, slope=None, intercept=None):
    """Gzip without a date, so that the same numbers are the same bytes. `values` are what is stored."""
    data = nifti_bytes(values, affine)
    if slope is not None:
        # scl_slope and scl_inter at bytes 112 and 116: nibabel would divide the values by them on its own.
        scale = numpy.array([slope, intercept], dtype="<f4").tobytes()
        data = data[:112] + scale + data[120:]
    pathlib.Path(path).write_bytes(gzip.compress(data, compresslevel=9, mtime=0))


def write_prepared(path, values, spacing_mm):
    """An array (z, y, x) in RAS; the origin is not kept, for these are numbers to compare and no pictures."""
    affine = numpy.diag([spacing_mm[2], spacing_mm[1], spacing_mm[0], 1.0])
    write_nifti(path, numpy.ascontiguousarray(numpy.transpose(values, (2, 1, 0))), affine)


def read_prepared(path):
    """The stored numbers of such a file as (z, y, x)."""
    return numpy.transpose(read_values(path)[0], (2, 1, 0))


def read_stored(path):
    """The numbers in a NIfTI file without its slope, as (z, y, x)."""
    image = nibabel.load(path)
    return numpy.transpose(numpy.asarray(image.dataobj.get_unscaled()), (2, 1, 0))


def read_metaimage(path):
    data = pathlib.Path(path).read_bytes()
    fields, place = {}, 0
    while "ElementDataFile" not in fields:
        end = data.index(b"\n", place)
        name, text = data[place:end].decode().split("=", 1)
        fields[name.strip()] = text.strip()
        place = end + 1
    raw = data[place:]
    if fields.get("CompressedData", "False") == "True":
        raw = zlib.decompress(raw)
    shape = [int(n) for n in fields["DimSize"].split()]
    values = numpy.frombuffer(raw, TYPES_OF_METAIMAGE[fields["ElementType"]]).reshape(shape, order="F")
    # The three numbers of a row belong to one axis of the file: its direction in the patient.
    directions = numpy.array(fields["TransformMatrix"].split(), dtype=float).reshape(3, 3).T
    spacing_mm = numpy.array(fields["ElementSpacing"].split(), dtype=float)
    affine = numpy.eye(4)
    affine[:3, :3] = FLIP_LPS_TO_RAS @ directions @ numpy.diag(spacing_mm)
    affine[:3, 3] = FLIP_LPS_TO_RAS @ numpy.array(fields["Offset"].split(), dtype=float)
    return values.astype(numpy.float64), affine


def write_metaimage(path, values, affine):
    """Compressed, little-endian; only for axes at right angles."""
    element = {"int16": "MET_SHORT", "uint8": "MET_UCHAR"}[values.dtype.name]
    spacing_mm = numpy.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    directions = FLIP_LPS_TO_RAS @ affine[:3, :3] / spacing_mm
    offset_mm = FLIP_LPS_TO_RAS @ affine[:3, 3]
    packed = zlib.compress(values.tobytes(order="F"), 9)

    def line(numbers):
        return " ".join(f"{n + 0.0:.10g}" for n in numbers)

    header = [
        "ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False",
        "CompressedData = True", f"CompressedDataSize = {len(packed)}",
        f"TransformMatrix = {line(directions.T.ravel())}", f"Offset = {line(offset_mm)}",
        "CenterOfRotation = 0 0 0", f"ElementSpacing = {line(spacing_mm)}",
        f"DimSize = {line(values.shape)}", f"ElementType = {element}", "ElementDataFile = LOCAL",
    ]
    pathlib.Path(path).write_bytes("\n".join(header).encode() + b"\n" + packed)
