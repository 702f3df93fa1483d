"""From the file to the prepared volume and back: VOXEL.md, "From the file to the prepared volume" and "What a run
answers", 6. Arrays are (z, y, x) in RAS unless a name says that they are in the file's order (i, j, k).
"""

import dataclasses
import math

import nibabel
import numpy
import scipy.ndimage

TAU = numpy.float32(0.33)
STORED_STEPS = 60000
ALL_26_NEIGHBOURS = numpy.ones((3, 3, 3), dtype=bool)


def upright(values_ijk, affine):
    """Station 3: permuted and flipped to RAS as nibabel decides it, then written as (z, y, x)."""
    turned = nibabel.orientations.apply_orientation(values_ijk, nibabel.io_orientation(affine))
    return numpy.ascontiguousarray(numpy.transpose(turned, (2, 1, 0)))


def as_in_file(values, affine):
    """The way back of `upright`."""
    back = nibabel.orientations.ornt_transform([[0, 1], [1, 1], [2, 1]], nibabel.io_orientation(affine))
    return nibabel.orientations.apply_orientation(numpy.transpose(values, (2, 1, 0)), back)


def file_spacing_mm(affine):
    """Station 4, as (z, y, x) of the upright grid. Assumed: x, y, z are the upright grid's, not the file's axes."""
    orientation = nibabel.io_orientation(affine)
    columns = [None, None, None]
    for axis in range(3):
        columns[int(orientation[axis, 0])] = affine[:3, axis]
    x, y, z = columns
    lengths = [float(math.sqrt((column ** 2).sum())) for column in columns]
    cosines = [abs(a @ b) for a, b in ((x / lengths[0], y / lengths[1]), (x / lengths[0], z / lengths[2]),
                                       (y / lengths[1], z / lengths[2]))]
    if max(cosines) < 1e-4:
        return lengths[2], lengths[1], lengths[0]
    area = float(numpy.linalg.norm(numpy.cross(x, y)))
    return abs(float(numpy.linalg.det(affine[:3, :3]))) / area, area / lengths[0], lengths[0]


def resampled_length(length, from_mm, to_mm):
    """Station 5. Python's round is half to even."""
    return max(1, round(length * from_mm / to_mm))


def samples_in_voxel(ratio):
    """Station 6: how many samples are averaged along an axis."""
    return max(1, math.floor(1.001 * ratio))


def sample_weights(length, new_length, ratio):
    """Station 6 along one axis, as a matrix (new_length, length); its rows sum to 1."""
    weights = numpy.zeros((new_length, length))
    count = samples_in_voxel(ratio)
    for voxel in range(new_length):
        for sample in range(count):
            place = ratio / count * (voxel * count + sample) + 0.5 * ratio / count - 0.5
            place = min(max(place, 0.0), length - 1.0)
            below = min(math.floor(place), length - 1)
            above = min(below + 1, length - 1)
            weights[voxel, below] += (1.0 - (place - below)) / count
            weights[voxel, above] += (place - below) / count
    return weights


def nearest_places(length, new_length, ratio):
    """Station 7 along one axis: of each new voxel, the old voxel that it takes.

    The formula as it is written, in float64. Where a centre lies halfway, "up" then holds only as far as rounding lets
    it: 4 mm to 6 mm and back has ties in every third slice, and some of them come out below (edges.json, `nearest`).
    """
    places = [ratio * voxel + 0.5 * ratio - 0.5 for voxel in range(new_length)]
    return numpy.array([math.floor(min(max(place, 0.0), length - 1.0) + 0.5) for place in places])


def resample_intensities(values, from_mm, to_mm):
    """Stations 5 and 6. Sums in float64, rounded to 32 bits once at the end."""
    result = values.astype(numpy.float64)
    for axis in range(3):
        length = values.shape[axis]
        new_length = resampled_length(length, from_mm[axis], to_mm[axis])
        weights = sample_weights(length, new_length, to_mm[axis] / from_mm[axis])
        result = numpy.moveaxis(numpy.tensordot(weights, result, axes=(1, axis)), 0, axis)
    return result.astype(numpy.float32)


def resample_mask(mask, from_mm, to_mm, new_shape=None):
    """Stations 5 and 7."""
    for axis in range(3):
        length = mask.shape[axis]
        new_length = new_shape[axis] if new_shape else resampled_length(length, from_mm[axis], to_mm[axis])
        mask = numpy.take(mask, nearest_places(length, new_length, to_mm[axis] / from_mm[axis]), axis=axis)
    return mask


def lung_box(mask):
    """Half open [first, end) of every axis."""
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        places = numpy.flatnonzero(mask.any(axis=others))
        box.append((int(places[0]), int(places[-1]) + 1))
    return box


def window_length(least, first, end, multiple):
    """Station 8: the size of the window along one axis."""
    return (max(least, end - first) + multiple - 1) // multiple * multiple


def window_start(first, end, size):
    """Station 8: where the window begins; may be negative."""
    return (first + end) // 2 - size // 2


def cut_window(volume, start, size):
    """Station 8 for y and x; what lies beyond the grid is 0."""
    result = numpy.zeros((volume.shape[0], *size), dtype=volume.dtype)
    (y, x), (height, width) = start, size
    from_y, to_y = max(y, 0), min(y + height, volume.shape[1])
    from_x, to_x = max(x, 0), min(x + width, volume.shape[2])
    result[:, from_y - y:to_y - y, from_x - x:to_x - x] = volume[:, from_y:to_y, from_x:to_x]
    return result


def put_back_window(window, start, shape):
    """What a run answers, 6: the grid around the window is 0."""
    result = numpy.zeros(shape, dtype=window.dtype)
    (y, x), (height, width) = start, window.shape[1:]
    from_y, to_y = max(y, 0), min(y + height, shape[1])
    from_x, to_x = max(x, 0), min(x + width, shape[2])
    result[:, from_y:to_y, from_x:to_x] = window[:, from_y - y:to_y - y, from_x - x:to_x - x]
    return result


def intensities(values_hu, lung):
    """Station 9, in 32 bits."""
    clipped = numpy.clip(values_hu.astype(numpy.float32), numpy.float32(-800), numpy.float32(100))
    scaled = (clipped + numpy.float32(800)) / numpy.float32(900)
    return numpy.where(lung, scaled, numpy.float32(0)).astype(numpy.float32)


def is_bright(image, lung, tau=TAU):
    return (image >= tau) & lung


def erroneous_edges(image, lung, tau=TAU):
    """Station 10: the voxels that are taken out."""
    rim = lung & ~scipy.ndimage.binary_erosion(lung, ALL_26_NEIGHBOURS, border_value=0)
    components, count = scipy.ndimage.label(is_bright(image, lung, tau), ALL_26_NEIGHBOURS)
    sizes = numpy.bincount(components.ravel(), minlength=count + 1)
    on_rim = numpy.bincount(components.ravel(), weights=rim.ravel(), minlength=count + 1).astype(int)
    taken_out = 2 * on_rim > sizes
    taken_out[0] = False
    return taken_out[components]


def stored_numbers(image):
    """Station 11."""
    return numpy.rint(image.astype(numpy.float64) * STORED_STEPS).astype(numpy.uint16)


def read_back(numbers):
    """Station 11: what training and calibration see. 19800 must give 0.33 as a float."""
    return (numbers.astype(numpy.float64) * (1.0 / STORED_STEPS)).astype(numpy.float32)


def excluded_slices(left_out, affine, shape_ijk, to_mm):
    """Station 12: prepared slices with a sample that gives weight to a slice that is left out."""
    orientation = nibabel.io_orientation(affine)
    if int(orientation[2, 0]) != 2:
        raise ValueError("the third axis does not run from top to bottom")
    length = shape_ijk[2]
    chosen = numpy.zeros(length, dtype=bool)
    chosen[list(left_out)] = True
    if orientation[2, 1] < 0:
        chosen = chosen[::-1]
    from_mm = file_spacing_mm(affine)[0]
    weights = sample_weights(length, resampled_length(length, from_mm, to_mm[0]), to_mm[0] / from_mm)
    return [int(voxel) for voxel in numpy.flatnonzero((weights[:, chosen] > 0).any(axis=1))]


@dataclasses.dataclass
class Grid:
    """What the way back needs: the file's grid, the prepared grid before the window, and the window."""

    affine: numpy.ndarray
    file_shape_zyx: tuple
    file_mm: tuple
    to_mm: tuple
    resampled_shape: tuple
    lung_box: list
    start: tuple
    size: tuple


@dataclasses.dataclass
class Prepared:
    image: numpy.ndarray
    lung: numpy.ndarray
    grid: Grid
    edge_voxels_removed: int = 0


def prepare(values_ijk, lung_ijk, affine, to_mm, least_plane, multiple, size=None, training=False, tau=TAU):
    """Stations 3 to 10; 10 only for a data set."""
    from_mm = file_spacing_mm(affine)
    turned = upright(values_ijk, affine)
    values_hu = resample_intensities(turned, from_mm, to_mm)
    lung = resample_mask(upright(lung_ijk, affine), from_mm, to_mm)
    box = lung_box(lung)
    if size is None:
        size = tuple(window_length(least_plane[axis], *box[axis + 1], multiple) for axis in range(2))
    start = tuple(window_start(*box[axis + 1], size[axis]) for axis in range(2))
    grid = Grid(affine, turned.shape, from_mm, tuple(to_mm), lung.shape, box, start, tuple(size))
    lung = cut_window(lung, start, size)
    image = intensities(cut_window(values_hu, start, size), lung)
    prepared = Prepared(image, lung, grid)
    if training:
        edges = erroneous_edges(image, lung, tau)
        prepared.edge_voxels_removed = int(edges.sum())
        prepared.lung = lung & ~edges
        prepared.image = numpy.where(edges, numpy.float32(0), image)
    return prepared


def mask_to_prepared(mask_ijk, grid):
    """Stations 7 and 8 for a mask of the file's grid, such as the truth."""
    resampled = resample_mask(upright(mask_ijk, grid.affine), grid.file_mm, grid.to_mm)
    return cut_window(resampled, grid.start, grid.size)


def mask_to_file(mask, grid, lung_ijk):
    """What a run answers, 6."""
    whole = put_back_window(mask, grid.start, grid.resampled_shape)
    on_file = resample_mask(whole, grid.to_mm, grid.file_mm, grid.file_shape_zyx)
    return as_in_file(on_file, grid.affine) & lung_ijk
