#!/usr/bin/env python3
"""forty.py RUN CTS HOSTILE FOLDER [REAL.nii.gz...]: an archive of 40 files, 32 CTs in all formats and 8 that are none;
then one is replaced and two are added, and only those three are computed. CTS: a folder of NIfTI files, at least 8.
QUINTET is the program. Python's standard library only."""

import glob
import gzip
import os
import shutil
import struct
import subprocess
import sys

QUINTET = os.path.abspath(os.environ.get("QUINTET", ".build/release/quintet"))
TYPES = {2: "MET_UCHAR", 4: "MET_SHORT", 8: "MET_INT", 16: "MET_FLOAT", 512: "MET_USHORT"}


def shifted(data, number):
    """The same CT, some hundredths HU brighter."""
    data = bytearray(data)
    slope, intercept = struct.unpack_from("<2f", data, 112)
    struct.pack_into("<2f", data, 112, slope or 1.0, intercept + 0.01 * number)
    return bytes(data)


def meta_header(data, voxels, number):
    shape, kind = struct.unpack_from("<3h", data, 42), struct.unpack_from("<h", data, 70)[0]
    rows = [struct.unpack_from("<4f", data, 280 + 16 * row) for row in range(3)]
    # NIfTI has x to the right and y to anterior, MetaImage the other way round.
    sign = (-1, -1, 1)
    size = [sum(rows[row][axis] ** 2 for row in range(3)) ** 0.5 for axis in range(3)]
    matrix = [sign[row] * rows[row][axis] / size[axis] for axis in range(3) for row in range(3)]
    # There is no place for a shift of values: the volume lies some micrometres further.
    offset = [sign[row] * rows[row][3] + 0.001 * number for row in range(3)]

    def text(values):
        return " ".join(repr(value) for value in values)
    return (f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
            f"CompressedData = False\nTransformMatrix = {text(matrix)}\nOffset = {text(offset)}\n"
            f"ElementSpacing = {text(size)}\nDimSize = {text(shape)}\nElementType = {TYPES[kind]}\n"
            f"ElementDataFile = {voxels}\n").encode()


def write(path, data, number):
    """In the format of its name, as one of many different ones."""
    data = shifted(data, number)
    start = int(struct.unpack_from("<f", data, 108)[0])
    if path.endswith(".gz"):
        content = gzip.compress(data, 1)
    elif path.endswith(".hdr"):
        head = bytearray(data[:348])
        struct.pack_into("<f", head, 108, 0.0)
        head[344:348] = b"ni1\0"
        content = bytes(head)
        with open(path[:-4] + ".img", "wb") as file:
            file.write(data[start:])
    elif path.endswith(".mha"):
        content = meta_header(data, "LOCAL", number) + data[start:]
    elif path.endswith(".mhd"):
        raw = os.path.basename(path)[:-4] + ".raw"
        content = meta_header(data, raw, number)
        with open(os.path.join(os.path.dirname(path), raw), "wb") as file:
            file.write(data[start:])
    else:
        content = data
    with open(path, "wb") as file:
        file.write(content)


def segment(run, folder, *more):
    done = subprocess.run([QUINTET, "segment", "--run", run, "--in", f"{folder}/cts", "--out", f"{folder}/masks", *more],
                          stderr=subprocess.PIPE, text=True, check=False)
    print("\n".join(line for line in done.stderr.splitlines() if line.startswith(("refused", "segmented"))))
    masks = sum(name.endswith(".nii.gz") for name in os.listdir(f"{folder}/masks"))
    computed = int(done.stderr.rsplit("computed ", 1)[1].split()[0]) if "computed" in done.stderr else -1
    refused = sum(line.startswith("refused: ") for line in done.stderr.splitlines())
    print(f"exit code {done.returncode}, {masks} masks, {refused} refused, {computed} computed")
    return done.returncode, masks, refused, computed


def main():
    run, cts, hostile, folder, real = *sys.argv[1:5], sys.argv[5:]
    os.makedirs(f"{folder}/cts")
    images = []
    for path in sorted(glob.glob(f"{cts}/*.nii.gz")):
        with gzip.open(path) as file:
            images.append(file.read())
    endings, count = [".nii.gz", ".nii", ".hdr", ".mha", ".mhd"], 32 - len(real)
    for number in range(count):
        ending = endings[number % len(endings)]
        write(f"{folder}/cts/ct-{number:02d}{ending}", images[number % len(images)], number)
    for path in real:
        shutil.copy(path, f"{folder}/cts")
    paths = sorted(glob.glob(f"{hostile}/*"))[:6]
    for path in paths:
        shutil.copy(path, f"{folder}/cts/hostile-{os.path.basename(path)}")
    for name, content in (("empty.nii.gz", b""), ("text.nii.gz", b"no CT\n"))[:8 - len(paths)]:
        with open(f"{folder}/cts/hostile-{name}", "wb") as file:
            file.write(content)
    first = segment(run, folder)
    write(f"{folder}/cts/ct-01.nii", images[1], 900)
    write(f"{folder}/cts/new-0.nii.gz", images[2], 901)
    write(f"{folder}/cts/new-1.mha", images[-1], 902)
    second = segment(run, folder)
    sys.exit(0 if first[0] == 3 and first[1:] == (32, 8, 32) and second[0] == 3 and second[2:] == (8, 3) else 1)


if __name__ == "__main__":
    main()
