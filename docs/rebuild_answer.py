"""Makes of a run's files and a CT the masks that `quintet segment` writes (recipe lung-normnet, with no option that
changes an answer), with numpy alone and from the documents alone: FORMATS.md has the files, VOXEL.md the steps; behind
a # stands which one. Prints how the masks differ from those that segment has written, and ends with 1 where they do.

    python3 docs/rebuild_answer.py RUN CT DIR/NAME.nii.gz        after quintet segment --run RUN --in CT --out DIR
"""
import gzip, itertools, json, math, os, struct, sys
import numpy as np


def nifti(path):
    """Values in the file's order (i, j, k), and the affine."""
    data = (gzip.open if open(path, "rb").read(2) == b"\x1f\x8b" else open)(path, "rb").read()
    shape, kind = struct.unpack_from("<3h", data, 42), struct.unpack_from("<h", data, 70)[0]
    start, slope, intercept = struct.unpack_from("<3f", data, 108)
    kind = {2: "u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8", 512: "<u2"}[kind]
    values = np.frombuffer(data, kind, math.prod(shape), int(start)).reshape(shape, order="F")
    if slope and slope == slope: values = values * float(slope) + intercept
    return values.astype(np.float32), np.array(struct.unpack_from("<12f", data, 280)).reshape(3, 4)[:, :3]


def weights(path):
    data = open(path, "rb").read()
    begin = 8 + struct.unpack_from("<Q", data)[0]
    tensors = {name: about for name, about in json.loads(data[8:begin]).items() if name != "__metadata__"}
    return {name: np.frombuffer(data, "<f4", math.prod(about["shape"]), begin + about["data_offsets"][0])
            .reshape(about["shape"]) for name, about in tensors.items()}


def logits(w, slab, strides):
    """FORMATS.md, "Weights"."""
    def pieces(shape, size, stride):
        for at in itertools.product(range(size), repeat=3):
            yield at, (slice(None), *(slice(a, a + n, stride) for a, n in zip(at, shape)))
    def conv(x, name, stride):
        kernel, sums = w[name + ".weight"], 0
        padded = np.pad(x, [(0, 0)] + [(kernel.shape[2] // 2,) * 2] * 3)
        for at, piece in pieces(x.shape[1:], kernel.shape[2], stride):
            sums = sums + np.tensordot(kernel[(..., *at)], padded[piece], 1)
        return sums + w[name + ".bias"][:, None, None, None]
    def transposed(x, name, stride):
        kernel, shape = w[name + ".weight"], [stride * n for n in x.shape[1:]]
        sums = np.zeros((kernel.shape[1], *(n + 2 for n in shape)), np.float32)
        for at, piece in pieces(shape, 3, stride):
            sums[piece] += np.tensordot(kernel[(..., *at)].T, x, 1)
        return sums[:, 1:-1, 1:-1, 1:-1] + w[name + ".bias"][:, None, None, None]
    def normed(x, name):
        if name + ".A.weight" not in w: return x
        mean, variance = (f((1, 2, 3), np.float64, keepdims=True) for f in (x.mean, x.var))
        x = ((x - mean) / np.sqrt(variance + 1e-5)).astype(np.float32)
        return np.where(x > 0, x, w[name + ".A.weight"] * x)
    def unit(x, name, stride=1):
        y = x
        for i in itertools.takewhile(lambda i: f"{name}.conv.unit{i}.conv.weight" in w, itertools.count()):
            y = normed(conv(y, f"{name}.conv.unit{i}.conv", 1 if i else stride), f"{name}.conv.unit{i}.adn")
        return y + (conv(x, name + ".residual", stride) if name + ".residual.weight" in w else x)
    def level(x, name, strides):
        if not strides: return unit(x, name)
        x = unit(x, name + ".0", strides[0])
        x = np.concatenate([x, level(x, name + ".1.submodule", strides[1:])])
        return unit(normed(transposed(x, name + ".2.0.conv", strides[0]), name + ".2.0.adn"), name + ".2.1")
    return level(slab[None], "model", strides)


def nearest(mask, ratios, shape):                                                              # file 7
    for axis, (ratio, count) in enumerate(zip(ratios, shape)):
        places = np.clip(ratio * np.arange(count) + (0.5 * ratio - 0.5), 0, mask.shape[axis] - 1)
        mask = np.take(mask, np.floor(places + 0.5).astype(int), axis)
    return mask


def linear(values, ratios, shape):                                                             # file 6
    for axis, (ratio, count) in enumerate(zip(ratios, shape)):
        values, each = np.moveaxis(values, axis, 0), np.arange(count)
        last, samples, table = len(values) - 1, max(1, math.floor(1.001 * ratio)), np.zeros((count, len(values)))
        for k in range(samples):
            places = np.clip(ratio / samples * (each * samples + k) + (0.5 * ratio / samples - 0.5), 0, last)
            low = np.floor(places).astype(int)
            table[each, low] += (1 - (places - low)) / samples
            table[each, np.minimum(low + 1, last)] += (places - low) / samples
        table, first, sums = table.astype(np.float32), (table > 0).argmax(1), np.float32(0)
        for tap in range((table > 0).sum(1).max()):
            at = np.minimum(first + tap, last)
            part = np.where(first + tap > last, 0, table[each, at])[:, None, None]
            sums = sums + part * values[at]
        values = np.moveaxis(sums, 0, axis)
    return values


def mean(values, paper, spacing):                                                              # answer 5
    voxels = 1
    for axis, mm in enumerate((1.0, 0.8, 0.8)):
        side = min(255, max(3, 2 * math.floor((paper * mm / spacing[axis] - 1) / 2 + 0.5) + 1))
        around = [(side // 2 + 1, side // 2) if axis == other else (0, 0) for other in range(3)]
        sums, count, voxels = np.cumsum(np.pad(values, around), axis), values.shape[axis], voxels * side
        values = np.take(sums, range(side, side + count), axis) - np.take(sums, range(count), axis)
    return values / voxels


def grown(core, full):                                                                         # answer 5
    full, answer = np.pad(full, 1), np.pad(core & full, 1)
    steps = np.array([z * full.strides[0] + y * full.strides[1] + x
                      for z, y, x in itertools.product((-1, 0, 1), repeat=3)])
    front = np.flatnonzero(answer)
    while front.size:
        front = np.unique(front[:, None] + steps)
        front = front[full.flat[front] & ~answer.flat[front]]
        answer.flat[front] = True
    return answer[1:-1, 1:-1, 1:-1]


def rebuilt(run, hu, lung, affine):
    """Answer and core, in the CT's own order."""
    about = json.load(open(f"{run}/run.json"))
    settings = about["configuration"]
    preset = settings["preset"]
    to, depth, strides = [preset["spacing"][axis + "MM"] for axis in "zyx"], preset["slabDepth"], preset["strides"]
    lengths = np.sqrt((affine ** 2).sum(0))                                                    # file 4
    u, _, v = np.linalg.svd(affine / lengths)                                                  # file 3
    turn = [int(np.abs(u @ v)[world].argmax()) for world in (2, 1, 0)]
    flip = tuple(slice(None, None, 1 if (u @ v)[2 - n, axis] > 0 else -1) for n, axis in enumerate(turn))
    upright = lambda values: values.transpose(turn)[flip]
    ratios = [t / lengths[axis] for t, axis in zip(to, turn)]
    shape = [max(1, round(n * lengths[axis] / t)) for n, axis, t in zip(upright(hu).shape, turn, to)]    # file 5
    lungs = nearest(upright(lung), ratios, shape)
    box = [np.flatnonzero(lungs.any(tuple({0, 1, 2} - {axis})))[[0, -1]] + [0, 1] for axis in range(3)]
    least, multiple = (settings["planeHeight"], settings["planeWidth"]), math.prod(strides)    # file 8
    size = [-(-max(n, end - first) // multiple) * multiple for n, (first, end) in zip(least, box[1:])]
    begin = [(first + end) // 2 - n // 2 for n, (first, end) in zip(size, box[1:])]
    margin = [(0, 0)] + [(max(0, -b), max(0, b + n - s)) for b, n, s in zip(begin, size, shape[1:])]
    inside = (slice(None), *(slice(b + m[0], b + m[0] + n) for b, n, m in zip(begin, size, margin[1:])))
    window = lambda values: np.pad(values, margin)[inside]
    m, values = window(lungs), window(linear(upright(hu), ratios, shape))
    h = np.where(m, (np.clip(values, -800, 100) + np.float32(800)) / np.float32(900), np.float32(0))     # file 9

    last, (a, b) = max(0, len(h) - depth), box[0]                                              # answer 1
    first, end = min(a, last), min(max(b - depth, 0), last)
    gaps = -(-max(0, end - first) // max(1, 3 * depth // 4))
    slabs = [first + max(0, end - first) * i // max(1, gaps) for i in range(gaps + 1)]
    weight = np.minimum(np.arange(depth) + 1, depth - np.arange(depth)).astype(np.float32)     # answer 2
    votes = np.zeros(h.shape, int)
    for replica in range(about["replicaCount"]):
        w = weights(f"{run}/replica-{replica}.safetensors")
        sums, total = np.zeros(h.shape, np.float32), np.zeros(len(h), np.float32)
        for slab in slabs:
            held = min(depth, len(h) - slab)
            other, healthy = logits(w, np.pad(h[slab:slab + held], [(0, depth - held), (0, 0), (0, 0)]), strides)
            sums[slab:slab + held] += (weight[:, None, None] / (1 + np.exp(other - healthy)))[:held]
            total[slab:slab + held] += weight[:held]
        probability = sums / np.maximum(total, 1)[:, None, None]
        votes += probability > np.float32(settings["healthyThreshold"])                        # answer 3
    lesion = m & (2 * votes <= about["replicaCount"])                                          # answer 4
    core = m & (mean((lesion & (h >= np.float32(preset["tau"]))).astype(float), 9, to) > 0.2)  # answer 5
    full = m & (mean(np.where(lesion, h, 0).astype(float), 7, to) > 0.15)
    def back(mask):                                                                            # answer 6
        whole = np.zeros([n + sum(more) for n, more in zip(shape, margin)], bool)
        whole[inside] = mask
        whole = whole[tuple(slice(low, low + n) for n, (low, _) in zip(shape, margin))]
        on_file = nearest(whole, [1 / r for r in ratios], upright(hu).shape)[flip]
        return on_file.transpose(np.argsort(turn)) & lung
    return back(grown(core, full)), back(core)


run, ct, answer = sys.argv[1:]
folder, name = os.path.split(answer)
(hu, affine), lung = nifti(ct), nifti(f"{folder}/lungs/{name}")[0] > 0
paths, differs = (answer, f"{folder}/without-growing/{name}"), False
for what, path, mask in zip(("answer", "core"), paths, rebuilt(run, hu, lung, affine)):
    theirs = nifti(path)[0] > 0
    wrong, both = int((mask != theirs).sum()), int((mask & theirs).sum())
    differs |= wrong > 0
    print(f"{what}: {int(mask.sum())} voxels, {wrong} of them otherwise than segment's {int(theirs.sum())}, Dice "
          f"{2 * both / int(mask.sum() + theirs.sum()) if mask.any() or theirs.any() else 1:.6f}")
sys.exit(differs)
