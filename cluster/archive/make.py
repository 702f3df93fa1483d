#!/usr/bin/env python3
"""make.py COUNT OUT SOURCE.nii.gz...: an archive of COUNT CTs, all different, from a few, cheaply.

Each one is a source whose values are shifted by a thousandth HU more than the one before: the header, which says so, is
compressed by itself, and the voxels behind it are the source's, compressed once. Python's standard library only."""

import gzip
import os
import struct
import sys
import zlib

HEADER_BYTES, VOXELS_AT = 348, 352
# Below it a value of some thousand HU would not change.
STEP_HU = 0.001


def member(data, level):
    maker = zlib.compressobj(level, zlib.DEFLATED, 31)
    return maker.compress(data) + maker.flush()


class Source:
    def __init__(self, path):
        self.name = os.path.basename(path).split(".")[0]
        with gzip.open(path) as file:
            data = file.read()
        self.order = "<" if struct.unpack_from("<i", data)[0] == HEADER_BYTES else ">"
        offset = int(struct.unpack_from(self.order + "f", data, 108)[0])
        self.head = bytearray(data[:offset])
        self.voxels = member(data[offset:], 6)

    def variant(self, number):
        head = bytearray(self.head)
        slope, intercept = struct.unpack_from(self.order + "2f", head, 112)
        slope = slope if slope not in (0.0,) and slope == slope else 1.0
        struct.pack_into(self.order + "2f", head, 112, slope, intercept + number * STEP_HU)
        return member(bytes(head), 6) + self.voxels


def main():
    count, out, paths = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    sources, total = [Source(path) for path in paths], 0
    for number in range(count):
        source = sources[number % len(sources)]
        folder = os.path.join(out, f"patient-{number // 10:04d}")
        os.makedirs(folder, exist_ok=True)
        content = source.variant(number // len(sources))
        with open(os.path.join(folder, f"{source.name}-{number:05d}.nii.gz"), "wb") as file:
            file.write(content)
        total += len(content)
    print(f"{count} CTs, {total / 1e9:.2f} GB in {out}")


if __name__ == "__main__":
    main()
