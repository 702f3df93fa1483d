"""Makes the small CTs: made-up chests in HU whose every part is there to try one rule.

A chest is a formula in millimetres (x right, y anterior, z superior, 0 in its middle); a case says on which grid, in
which orientation and in which file it is stored. METHOD.md, "Whether it is a lung", says what is taken for a lung.
"""

import dataclasses

import numpy
import scipy.ndimage

AIR_HU, LUNG_HU, TISSUE_HU = -1000.0, -850.0, 40.0
MASK_SHRINKS_TO = 0.93
DIRECTIONS = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}


@dataclasses.dataclass
class Case:
    name: str
    codes: str
    spacing_mm: tuple
    shape: tuple
    lung_radii_mm: tuple
    lung_centre_x_mm: float
    seed: int
    tilt_degrees: tuple = (0.0, 0.0)
    off_centre_mm: tuple = (0.0, 0.0, 0.0)
    left_out: tuple = ()
    storage: str = "nifti"
    slope: float = 1.0
    intercept: float = 0.0
    # Of a block and of single voxels: tau exactly, or a little more where interpolation would leave a tie to rounding.
    barely_bright_hu: float = -503.0


CASES = (
    Case("oblique", "PSR", (6.93, 5.47, 6.21), (32, 36, 44), (44, 66, 80), 54, 11,
         tilt_degrees=(12.0, 12.0), slope=0.5, intercept=-1024.0, barely_bright_hu=-502.0),
    Case("flipped", "RPI", (6.0, 6.0, 5.0), (45, 36, 44), (36, 95, 69), 52, 12, storage="metaimage"),
    Case("thin", "LPS", (5.0, 5.0, 5.0), (44, 38, 8), (42, 64, 80), 49, 13, off_centre_mm=(11.0, 0.0, 0.0)),
    Case("leave-out", "LAI", (6.71, 6.37, 4.0), (44, 34, 44), (51, 57, 77), 72, 14, left_out=(21, 22, 23)),
)


def affines(case):
    """Of the file, and of the same grid before the patient was tilted."""
    upright = numpy.eye(4)
    for axis, code in enumerate(case.codes):
        upright[:3, axis] = numpy.array(DIRECTIONS[code]) * case.spacing_mm[axis]
    middle = upright[:3, :3] @ ((numpy.array(case.shape) - 1) / 2.0)
    upright[:3, 3] = numpy.array(case.off_centre_mm) - middle
    about_x, about_z = numpy.radians(case.tilt_degrees)
    turn_x = numpy.array([[1, 0, 0], [0, numpy.cos(about_x), -numpy.sin(about_x)],
                          [0, numpy.sin(about_x), numpy.cos(about_x)]])
    turn_z = numpy.array([[numpy.cos(about_z), -numpy.sin(about_z), 0],
                          [numpy.sin(about_z), numpy.cos(about_z), 0], [0, 0, 1]])
    tilted = numpy.eye(4)
    tilted[:3, :] = turn_z @ turn_x @ upright[:3, :]
    # As NIfTI stores it, so that what is computed here is what the file says.
    return tilted.astype(numpy.float32).astype(numpy.float64), upright


def in_tube(places, start, end, radius_mm):
    axis = numpy.array(end, dtype=float) - numpy.array(start, dtype=float)
    along = numpy.clip(((places - start) @ axis) / (axis @ axis), 0, 1)
    return ((places - start - along[..., None] * axis) ** 2).sum(axis=-1) <= radius_mm ** 2


def in_ellipsoid(places, centre, radii_mm):
    return (((places - centre) / numpy.array(radii_mm)) ** 2).sum(axis=-1) <= 1.0


def make(case):
    """HU (whole numbers and, where the slope allows, halves), lung mask and truth, in the file's order."""
    random = numpy.random.default_rng(case.seed)
    _, upright = affines(case)
    index = numpy.stack(numpy.meshgrid(*(numpy.arange(n) for n in case.shape), indexing="ij"), axis=-1)
    places = index @ upright[:3, :3].T + upright[:3, 3]
    x, y, z = numpy.moveaxis(places, -1, 0)
    radii = numpy.array(case.lung_radii_mm, dtype=float)
    outer = case.lung_centre_x_mm + radii[0]

    body = ((numpy.abs(x) / (outer + 22)) ** 3 + (numpy.abs(y) / (radii[1] + 22)) ** 3) <= 1.0
    # Noise in steps: the files are kept with the project and should be small.
    values = numpy.where(body, TISSUE_HU + 5 * numpy.rint(random.normal(0, 4, case.shape) / 5), AIR_HU)
    lung_noise = LUNG_HU + 12 * numpy.rint(random.normal(0, 25, case.shape) / 12)
    lesion_noise = random.normal(0, 50, case.shape)
    mask = numpy.zeros(case.shape, dtype=bool)
    truth = numpy.zeros(case.shape, dtype=bool)
    for side in (-1, 1):
        centre = numpy.array([side * case.lung_centre_x_mm, 0, 0])
        inner = in_ellipsoid(places, centre, radii)
        values = numpy.where(inner, lung_noise, values)
        mask |= in_ellipsoid(places, centre, radii * MASK_SHRINKS_TO)
        root = centre + radii * [-side * 0.6, 0, 0]
        for _ in range(9):
            direction = random.normal(0, 1, 3)
            tip = centre + radii * 0.72 * direction / numpy.sqrt((direction ** 2).sum())
            radius_mm, hu = random.uniform(3.5, 6.5), random.uniform(-480, 50)
            values = numpy.where(in_tube(places, root, tip, radius_mm) & inner, hu, values)
        for kind in range(2):
            # One of ground glass, one of consolidation; the one in front reaches the lung's rim.
            direction = numpy.array([side * 0.4, 0.62 if kind == 0 else -0.5, random.uniform(-0.25, 0.25)])
            lesion_radii = radii * random.uniform(0.22, 0.34, 3)
            spot = in_ellipsoid(places, centre + radii * direction, lesion_radii) & inner
            if kind == 1:
                # Faint glass around the consolidation: below tau, so that only growing finds it.
                halo = in_ellipsoid(places, centre + radii * (direction + [0, 0, 0.1]), lesion_radii * 1.7) & inner
                values = numpy.where(halo, -600 + lesion_noise / 2, values)
                truth |= halo
            hu = random.uniform(-560, -400) if kind == 0 else random.uniform(-150, 0)
            values = numpy.where(spot, hu + lesion_noise, values)
            truth |= spot
        # A block and single voxels that are just bright; the block is high enough to outlast resampling.
        spot = numpy.abs(places - (centre + radii * [0.1, -0.72, 0.0]))
        block = (spot[..., 0] < 6.5) & (spot[..., 1] < 6.5) & (spot[..., 2] < 3 * max(case.spacing_mm)) & inner
        values = numpy.where(block, case.barely_bright_hu, values)
    # Calcified: above the window, inside the lung.
    for side in (-1, 1):
        values = numpy.where(in_ellipsoid(places, numpy.array([side * case.lung_centre_x_mm, 0.0, 20.0]),
                                          numpy.array([9.0, 9.0, 9.0])) & mask, 400.0, values)
    candidates = numpy.argwhere(mask & (values < -800))
    for place in candidates[random.choice(len(candidates), 12, replace=False)]:
        values[tuple(place)] = case.barely_bright_hu
    # The mask reaches into the chest wall at one place of the right lung.
    reach = (numpy.abs(y) < 14) & (numpy.abs(z) < 14) & (x > case.lung_centre_x_mm) & (x < outer + 9)
    mask |= reach & body
    values = numpy.clip(values, -1024, 3000)
    stored = numpy.rint((values - case.intercept) / case.slope).astype(numpy.int16)
    return stored, mask, truth & mask


def voters(case, values, mask, truth):
    """Three masks of what is called healthy, for the command vote: bright vessels, each voter with its own errors."""
    random = numpy.random.default_rng(case.seed + 100)
    bright = (values >= -503) & mask
    votes = []
    for _ in range(3):
        noise = scipy.ndimage.gaussian_filter(random.normal(0, 1, case.shape), 1.2)
        noise /= noise.std()
        vessels = bright & ~truth & (noise < 0.75)
        taken_for_healthy = bright & truth & (noise > 0.5)
        lung_too = mask & ~bright & (noise > 2.2)
        votes.append(vessels | taken_for_healthy | lung_too)
    return votes
