"""Pictures of what cluster/real_liver.sh found: the CT, the truth (amber), the vote (red), in some slices.

    python3 liver_pictures.py OUT/ct/ircad17.nii.gz OUT/tumour/ircad17.nii.gz OUT/run-masks/ircad17.nii.gz out.png [Z ...]

Needs nibabel and numpy. The data set's licence (CC BY-NC-ND) keeps such pictures out of this repository.
"""
import struct
import sys
import zlib

import nibabel
import numpy


def png(path, image):
    height, width, _ = image.shape
    rows = numpy.concatenate([numpy.zeros((height, 1), numpy.uint8), image.reshape(height, -1)], 1).tobytes()

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    with open(path, "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9))
                  + chunk(b"IEND", b""))


def outlined(image, mask, colour):
    """The mask's pixels that touch what is not in it."""
    padded = numpy.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    result = image.copy()
    result[mask & ~inner] = colour
    return result


def main():
    paths, out, slices = sys.argv[1:4], sys.argv[4], [int(z) for z in sys.argv[5:]]
    ct, truth, vote = (numpy.asarray(nibabel.load(path).dataobj) for path in paths)
    shown = slices or [int(z) for z in numpy.argsort((truth > 0).sum((0, 1)))[-1::-9][:3]]
    rows = []
    for z in shown:
        grey = numpy.clip((ct[:, :, z].T.astype(float) + 100) / 300 * 255, 0, 255).astype(numpy.uint8)
        base = numpy.repeat(numpy.repeat(grey, 2, 0), 2, 1)[..., None].repeat(3, 2)

        def large(mask):
            return numpy.repeat(numpy.repeat(mask[:, :, z].T > 0, 2, 0), 2, 1)

        rows.append(numpy.concatenate(
            [base, outlined(base, large(truth), (255, 190, 0)), outlined(base, large(vote), (255, 60, 60))], 1))
    png(out, numpy.concatenate(rows))
    print(f"{out}: slices {', '.join(map(str, shown))}; the CT, the truth, the vote")


main()
