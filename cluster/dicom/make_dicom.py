"""Makes DICOM series of a CT in NIfTI, as scanners and archives leave them, good ones and bad ones.

    make_dicom.py CT.nii.gz OUT

Each folder of OUT is a case; OUT/cases.json says what must come of it: "equal" to the CT's voxels, or "refused" with
words that the message must have. Compressed files are made by DCMTK's own tools (dcmcjpeg, dcmcjpls, dcmcrle, dcmconv)
from pydicom's.
"""
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (CTImageStorage, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian,
                         ImplicitVRLittleEndian, generate_uid)

random.seed(19)


class Source:
    """A CT in DICOM's axes: slices[k][row][column] in HU."""

    def __init__(self, path, slice_count=None):
        image = nibabel.load(path)
        self.hu = np.asarray(image.dataobj).astype(np.int16).transpose(2, 1, 0)
        affine = np.diag([-1, -1, 1, 1]) @ image.affine
        self.directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        self.spacing = np.linalg.norm(affine[:3, :3], axis=0)
        self.origin = affine[:3, 3]
        if np.linalg.det(self.directions) < 0:
            sys.exit("make_dicom.py: the CT's axes are left-handed; take another")
        if slice_count:
            self.hu = self.hu[:slice_count]

    def position(self, k):
        return self.origin + self.directions[:, 2] * self.spacing[2] * k


class Identity:
    """Of one series."""

    def __init__(self):
        self.study, self.series, self.frame = generate_uid(), generate_uid(), generate_uid()


def slice_of(source, identity, k, syntax=ExplicitVRLittleEndian, slope=1.0, intercept=-1024.0, tilt=0.0):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = syntax
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = identity.study, identity.series
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = identity.frame, ""
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Mustermann^Erika", "4711", "19640812", "F"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20200102", "101010", "S1", "A1"
    ds.ReferringPhysicianName, ds.Modality, ds.Manufacturer = "", "CT", "Quintet's test"
    ds.SeriesNumber, ds.AcquisitionNumber, ds.InstanceNumber = 2, 1, k + 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.PatientPosition, ds.KVP, ds.ConvolutionKernel = "HFS", 120, "B30f"
    ds.Rows, ds.Columns = source.hu.shape[1:]
    ds.PixelSpacing = [f"{source.spacing[1]:.12g}", f"{source.spacing[0]:.12g}"]
    ds.SliceThickness = f"{source.spacing[2]:.12g}"
    ds.ImageOrientationPatient = [f"{v:.12g}" for v in (*source.directions[:, 0], *source.directions[:, 1])]
    shift = np.array([0, np.tan(np.radians(tilt)) * source.spacing[2] * k, 0])
    ds.ImagePositionPatient = [f"{v:.12g}" for v in source.position(k) + shift]
    ds.GantryDetectorTilt = tilt
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = slope, intercept, "HU"
    stored = np.round((source.hu[k] - intercept) / slope).astype(np.int32)
    assert np.array_equal(stored * slope + intercept, source.hu[k].astype(float)), "the slope does not give it back"
    order = ">i2" if syntax == ExplicitVRBigEndian else "<i2"
    ds.PixelData = stored.astype(order).tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def names(count, style="IM{:04d}"):
    """Shuffled: the order of names says nothing."""
    order = list(range(count))
    random.shuffle(order)
    return [style.format(n) for n in order]


def write(folder, datasets, style="IM{:04d}"):
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for ds, name in zip(datasets, names(len(datasets), style)):
        pydicom.dcmwrite(folder / name, ds, enforce_file_format=True)
        paths.append(folder / name)
    return paths


def series(source, identity=None, **options):
    identity = identity or Identity()
    return [slice_of(source, identity, k, **options) for k in range(len(source.hu))]


def converted(source, folder, *command):
    """By a tool of DCMTK, file by file."""
    plain = folder.with_name(folder.name + "-plain")
    folder.mkdir(parents=True)
    for path in write(plain, series(source)):
        subprocess.run([*command, str(path), str(folder / path.name)], check=True)
    shutil.rmtree(plain)


def good(source, out):
    write(out / "shuffled", series(source))
    write(out / "implicit", series(source, syntax=ImplicitVRLittleEndian), "{:d}.dcm")
    write(out / "big-endian", series(source, syntax=ExplicitVRBigEndian), "1.2.840.{:d}")
    write(out / "deflated", series(source, syntax=DeflatedExplicitVRLittleEndian))
    converted(source, out / "jpeg-lossless", "dcmcjpeg", "+e1")
    converted(source, out / "jpeg-lossless-14", "dcmcjpeg", "+el")
    converted(source, out / "jpeg-ls", "dcmcjpls")
    converted(source, out / "rle", "dcmcrle")
    identity = Identity()
    slices = [slice_of(source, identity, k, intercept=-1024.0 - 8 * (k % 3)) for k in range(len(source.hu))]
    write(out / "rescale-per-slice", slices)
    identity = Identity()
    nested = [slice_of(source, identity, k) for k in range(len(source.hu))]
    write(out / "nested/a", nested[::2])
    write(out / "nested/b/c", nested[1::2], "X{:d}")
    found = series(source)
    paths = write(out / "copies", found)
    shutil.copy(paths[3], paths[3].with_name("copy-of-one.dcm"))
    scout = slice_of(source, Identity(), 0)
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write(out / "with-localiser", series(source))
    write(out / "with-localiser/scout", [scout])
    return ["shuffled", "implicit", "big-endian", "deflated", "jpeg-lossless", "jpeg-lossless-14", "jpeg-ls", "rle",
            "rescale-per-slice", "nested", "copies", "with-localiser"]


def change(datasets, at, **tags):
    for tag, value in tags.items():
        if value is None:
            delattr(datasets[at], tag)
        else:
            setattr(datasets[at], tag, value)
    return datasets


def bad(source, out):
    middle = len(source.hu) // 2
    refused = {}

    def case(name, words, datasets):
        write(out / name, datasets)
        refused[name] = words

    case("missing-slice", "missing slices (1)", [d for k, d in enumerate(series(source)) if k != middle])
    identity = Identity()
    case("doubled-slice", "doubled slices", series(source, identity) + [slice_of(source, identity, middle)])
    case("tilted", "tilted gantry", series(source, tilt=12.0))
    uneven = series(source)
    place = source.position(middle)
    place[2] += 0.4 * source.spacing[2]
    case("uneven", "uneven spacing", change(uneven, middle, ImagePositionPatient=[f"{v:.12g}" for v in place]))
    turned = [f"{v:.12g}" for v in (0, 1, 0, 0, 0, -1)]
    case("mixed-orientation", "mixed orientations", change(series(source), middle, ImageOrientationPatient=turned))
    small = slice_of(source, identity := Identity(), middle)
    small.Rows -= 2
    small.PixelData = small.PixelData[:small.Rows * small.Columns * 2]
    case("mixed-size", "mixed sizes", [d for k, d in enumerate(series(source, identity)) if k != middle] + [small])
    case("no-rescale", "RescaleSlope", change(series(source), middle, RescaleSlope=None))
    case("no-position", "lacks ImagePositionPatient", change(series(source), middle, ImagePositionPatient=None))
    case("no-spacing", "lacks PixelSpacing", change(series(source), middle, PixelSpacing=None))
    case("cut", "bytes of voxels", change(series(source), middle, PixelData=series(source)[0].PixelData[:1000]))
    jpeg2000 = series(source)
    for ds in jpeg2000:
        ds.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
        ds.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + b"\0" * 60])
        ds["PixelData"].VR = "OB"
    case("jpeg-2000", "JPEG 2000", jpeg2000)
    return refused


def main():
    source, out = Source(sys.argv[1], 24 if len(sys.argv) < 4 else int(sys.argv[3])), Path(sys.argv[2])
    equal = good(source, out)
    refused = bad(source, out)
    # Two series of one patient in one folder: another reconstruction beside the first.
    both = series(source) + series(Source(sys.argv[1], len(source.hu) - 4), Identity())
    write(out / "two-series", both)
    # Of another modality.
    other = series(source)
    for ds in other:
        ds.Modality = "MR"
    write(out / "no-ct", other)
    (out / "cases.json").write_text(json.dumps({"equal": equal, "refused": refused, "slices": len(source.hu)}))


if __name__ == "__main__":
    main()
