"""Trains the same network from the same weights on the same samples four times and compares the loss curves: quintet's
fast kernels, quintet's reference kernels (plain loops that add in double), PyTorch in its default memory format,
PyTorch in channels_last_3d. Rounding differs between any two of them and training amplifies it; what two formats of one
library differ by is the measure of what is harmless.

    python3 -m venv venv && venv/bin/pip install torch monai safetensors nibabel
    venv/bin/python cluster/loss_curves.py OUT                                   # preset lab, 200 steps of batch 2
    venv/bin/python cluster/loss_curves.py OUT --spacing 4,4,4 --plane 96,96 --slab 16 --seeds 1,2,3      # reduced

Two curves that rounding drives apart are luck: --seeds makes the four runs anew from other weights on other samples,
and the means over the seeds are compared. Less luck is in how far apart the millions of weights are at the end, above
all after few steps: --steps 10.

Healthy CTs are those of --ct (with masks of the same names in --masks), or the healthy one of ../shared/data, or made
by quintet phantom. OUT keeps what is done: a run that is there is not made again, so it may be made in pieces with
--only prepare, fast, naive (or direct, with --reference direct), contiguous, channels_last. When all four of a seed are
there it writes OUT/seed-N/loss_curves.csv and .svg, and when all seeds are there it prints the tables. Exit code 1 when
fast and reference differ by more than PyTorch's two do: in the largest difference of the smoothed loss, mean of the
seeds.
"""
import argparse
import ast
import csv
import math
import os
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SMOOTHING = 20


def runs_of(options):
    return ["fast", options.reference, "contiguous", "channels_last"]


def pairs_of(options):
    """What is compared; the first two pairs are what is judged."""
    fast, reference, contiguous, channels_last = runs_of(options)
    return [(fast, reference), (contiguous, channels_last), (fast, contiguous), (reference, contiguous),
            (fast, channels_last), (reference, channels_last)]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--quintet", default=f"{TOP}/.build/release/quintet")
    parser.add_argument("--ct")
    parser.add_argument("--masks")
    parser.add_argument("--preset", default="lab")
    parser.add_argument("--spacing", help="another grid than the preset's, as quintet prepare takes it")
    parser.add_argument("--plane", help="height,width")
    parser.add_argument("--slab", help="slices of a sample")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--seeds", default="1", help="comma-separated")
    parser.add_argument("--reference", default="naive", choices=["naive", "direct"],
                        help="QUINTET_KERNELS of the reference: plain loops that add in double, or no Winograd")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=["prepare", "fast", "naive", "direct", "contiguous", "channels_last"])
    return parser.parse_args()


def quintet(options, *words, kernels=None):
    environment = dict(os.environ)
    environment.pop("QUINTET_KERNELS", None)
    if kernels:
        environment["QUINTET_KERNELS"] = kernels
    subprocess.run([options.quintet, *words], check=True, env=environment)


def healthy(options):
    """Folders of CTs and of their lung masks."""
    if options.ct:
        return options.ct, options.masks
    shared = f"{TOP}/../shared/data/normal001"
    if not os.path.exists(f"{shared}_ct.nii.gz"):
        quintet(options, "phantom", "--out", f"{options.out}/phantoms", "--count", "2", "--diseased", "0", "--quiet")
        return f"{options.out}/phantoms/healthy", f"{options.out}/phantoms/lungs"
    for folder, kind in (("ct", "ct"), ("lungs", "lung_auto")):
        os.makedirs(f"{options.out}/{folder}", exist_ok=True)
        link = f"{options.out}/{folder}/normal001.nii.gz"
        if not os.path.lexists(link):
            os.symlink(os.path.abspath(f"{shared}_{kind}.nii.gz"), link)
    return f"{options.out}/ct", f"{options.out}/lungs"


def train(options, run, iterations, kernels=None, more=()):
    """quintet's training of replica 0; --threshold spares the calibration."""
    slab = ["--slab", options.slab] if options.slab else []
    quintet(options, "train", "--data", f"{options.out}/data", "--run", f"{options.folder}/{run}", "--replicas", "1",
            "--seed", options.seed, "--iterations", str(iterations), "--batch", str(options.batch),
            "--threshold", "0.5", "--threads", str(options.threads), *slab, *more, kernels=kernels)


def prepare(options):
    out, folder = options.out, options.folder
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(f"{out}/data/dataset.json"):
        cts, masks = healthy(options)
        more = ["--masks", masks] if masks else []
        for option in ("spacing", "plane"):
            if getattr(options, option):
                more += [f"--{option}", getattr(options, option)]
        quintet(options, "prepare", cts, "--out", f"{out}/data", "--preset", options.preset, *more)
    if not os.path.exists(f"{folder}/initial/run.json"):
        # A step of length 0: the file holds the weights that every training with this seed starts from.
        train(options, "initial", 1, more=["--learning-rate", "0"])
    if not os.path.exists(f"{folder}/pairs/done"):
        slab = ["--slab", options.slab] if options.slab else []
        quintet(options, "lesions", "--data", f"{out}/data", "--out", f"{folder}/pairs", "--seed", options.seed,
                "--count", str(options.steps * options.batch), "--batch", str(options.batch), *slab)
        open(f"{folder}/pairs/done", "w").close()


def weights_of(options, run):
    """Where a run's weights lie when it has ended."""
    ours = run in ("fast", options.reference, "initial")
    return f"{options.folder}/{run}/replica-0.safetensors" if ours else f"{options.folder}/{run}.safetensors"


def torch_losses(options, run):
    """The loss of every step, from quintet's initial weights on quintet's samples in quintet's order."""
    import nibabel
    import numpy
    import torch
    from monai.losses import DiceCELoss
    from monai.networks.nets import UNet
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    torch.set_num_threads(options.threads)
    weights = weights_of(options, "initial")
    with safe_open(weights, framework="pt") as file:
        metadata = file.metadata()
    network = UNet(spatial_dims=3, in_channels=1, out_channels=2, channels=ast.literal_eval(metadata["channels"]),
                   strides=ast.literal_eval(metadata["strides"]), num_res_units=int(metadata["num_res_units"]),
                   norm=metadata["norm"], act=metadata["act"])
    network.load_state_dict(load_file(weights), strict=True)
    memory_format = torch.channels_last_3d if run == "channels_last" else torch.contiguous_format
    network = network.to(memory_format=memory_format)
    loss_function = DiceCELoss(to_onehot_y=True, softmax=True)
    optimiser = torch.optim.Adam(network.parameters(), 3e-4)

    def volume(number, kind):
        # NIfTI's first axis is quintet's last.
        array = nibabel.load(f"{options.folder}/pairs/{number:04d}.{kind}.nii.gz").dataobj
        return numpy.ascontiguousarray(numpy.asarray(array, dtype=numpy.float32).T)[None]

    losses, start = [], time.perf_counter()
    for step in range(options.steps):
        numbers = range(step * options.batch, (step + 1) * options.batch)
        image, target = (torch.from_numpy(numpy.stack([volume(number, kind) for number in numbers]))
                         for kind in ("image", "target"))
        optimiser.zero_grad()
        loss = loss_function(network(image.to(memory_format=memory_format)), target)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        print(f"\r{step + 1} of {options.steps}, loss {losses[-1]:.6f}, "
              f"{(time.perf_counter() - start) / (step + 1):.2f} s a step", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    save_file({name: values.contiguous() for name, values in network.state_dict().items()}, weights_of(options, run))
    return losses


def make(options, run):
    path = f"{options.folder}/{run}.losses"
    if os.path.exists(path):
        return
    print(f"== seed {options.seed}, {run}", file=sys.stderr, flush=True)
    if run in ("fast", options.reference):
        train(options, run, options.steps, kernels=None if run == "fast" else run)
        with open(f"{options.folder}/{run}/metrics.csv") as file:
            rows = sorted((int(row["iteration"]), row["loss"]) for row in csv.DictReader(file))
        assert [iteration for iteration, _ in rows] == list(range(1, options.steps + 1)), "one loss for each step"
        losses = [loss for _, loss in rows]
    else:
        losses = [repr(loss) for loss in torch_losses(options, run)]
    with open(path + ".part", "w") as file:
        file.write("\n".join(losses) + "\n")
    os.rename(path + ".part", path)


def smooth(values):
    """The mean over a window that ends at each step."""
    return [sum(values[max(0, end - SMOOTHING):end]) / min(end, SMOOTHING) for end in range(1, len(values) + 1)]


def differences(a, b):
    return [abs(x - y) for x, y in zip(a, b)]


def svg(curves, pairs, path):
    """The smoothed curves, and below them how far the pairs are apart, on a logarithmic scale."""
    width, height, left, colours = 720, 240, 60, ["#1b6ca8", "#d1495b", "#66a182", "#8d6a9f", "#edae49"]
    parts = []

    def panel(top, title, series, low, high, ticks):
        def point(index, value, count):
            share = (min(max(value, low), high) - low) / (high - low)
            return f"{left + index * (width - left - 10) / max(1, count - 1):.1f},{top + height - share * height:.1f}"
        parts.append(f'<text x="{left}" y="{top - 8}" font-size="14">{title}</text>')
        for value, label in ticks:
            y = top + height - (value - low) / (high - low) * height
            parts.append(f'<path d="M{left},{y:.1f}H{width - 10}" stroke="#ddd"/>'
                         f'<text x="{left - 6}" y="{y + 4:.1f}" font-size="11" text-anchor="end">{label}</text>')
        for number, (name, values) in enumerate(series):
            points = " ".join(point(index, value, len(values)) for index, value in enumerate(values))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colours[number]}" stroke-width="1.3"/>'
                         f'<text x="{width - 16}" y="{top + 14 + 14 * number}" font-size="11" text-anchor="end" '
                         f'fill="{colours[number]}">{name}</text>')

    most = max(max(curve) for curve in curves.values())
    panel(30, f"Loss by step, mean of {SMOOTHING}", [(run, smooth(curve)) for run, curve in curves.items()], 0, most,
          [(most * share, f"{most * share:.2f}") for share in (0, 0.25, 0.5, 0.75, 1)])
    gaps = [(f"{a} - {b}", [math.log10(max(gap, 1e-9)) for gap in differences(curves[a], curves[b])])
            for a, b in pairs]
    panel(320, "Difference of the loss, step by step", gaps, -9, 0,
          [(exponent, f"1e{exponent}") for exponent in range(-9, 1, 3)])
    with open(path, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{370 + height - 30}" '
                   f'font-family="sans-serif">{"".join(parts)}</svg>\n')


def weight_distance(options, a, b):
    """The root of the sum of all weights' squared differences; not a number where a run has left no weights."""
    import numpy
    from safetensors.numpy import load_file
    if not all(os.path.exists(weights_of(options, run)) for run in (a, b)):
        return math.nan
    ours, theirs = load_file(weights_of(options, a)), load_file(weights_of(options, b))
    return math.sqrt(sum(numpy.square(numpy.subtract(ours[name], theirs[name], dtype=float)).sum() for name in ours))


def report(options):
    """One seed's table and files; returns of every pair the largest and the mean smoothed difference, how far apart
    the weights are, and all differences step by step."""
    curves = {}
    runs = runs_of(options)
    for run in runs:
        with open(f"{options.folder}/{run}.losses") as file:
            curves[run] = [float(line) for line in file]
    with open(f"{options.folder}/loss_curves.csv", "w") as file:
        file.write(",".join(["step"] + runs) + "\n")
        for step, row in enumerate(zip(*(curves[run] for run in runs)), 1):
            file.write(",".join([str(step)] + [repr(loss) for loss in row]) + "\n")
    svg(curves, pairs_of(options)[:3], f"{options.folder}/loss_curves.svg")
    print(f"seed {options.seed}; {len(curves['fast'])} steps of batch {options.batch}; reference: {options.reference}")
    for run in runs:
        tail = curves[run][-SMOOTHING:]
        print(f"{run:14} first {curves[run][0]:.7f}   last {SMOOTHING}: mean {sum(tail) / len(tail):.5f}")
    print(f"{'difference of':32} {'step 1':>9} {'to 10':>9} {'to 50':>9} {'max':>9} {'mean':>9}   "
          f"smoothed: {'max':>9} {'mean':>9}")
    smoothed = {}
    for a, b in pairs_of(options):
        raw = differences(curves[a], curves[b])
        smooth_differences = differences(smooth(curves[a]), smooth(curves[b]))
        smoothed[a, b] = (max(smooth_differences), sum(smooth_differences) / len(smooth_differences),
                          weight_distance(options, a, b), raw)
        print(f"{a + ' - ' + b:32} {raw[0]:9.2e} {max(raw[:10]):9.2e} {max(raw[:50]):9.2e} {max(raw):9.2e} "
              f"{sum(raw) / len(raw):9.2e}             {smoothed[a, b][0]:9.2e} {smoothed[a, b][1]:9.2e}")
    return smoothed


def compare_growth(options, pairs, smoothed):
    """How far apart rounding has driven the pairs by when: the earlier, the less it has to do with luck."""
    ends = [end for end in (2, 3, 5, 10, 20, 50, 100, 200) if end <= options.steps]
    print(f"\n{'geometric mean, largest to step':32}" + "".join(f" {end:>9}" for end in ends))
    for pair in pairs:
        # Below what a double of this size can hold all are equal.
        logarithms = [[math.log(max(*one[pair][3][:end], 1e-12)) for one in smoothed] for end in ends]
        print(f"{pair[0] + ' - ' + pair[1]:32}"
              + "".join(f" {math.exp(sum(values) / len(values)):9.2e}" for values in logarithms))


def compare_seeds(options, seeds, smoothed):
    """The differences of all seeds beside each other; whether quintet's are no larger in the mean."""
    means, pairs = {}, pairs_of(options)
    compare_growth(options, pairs, smoothed)
    for which, name in enumerate(("largest smoothed difference", "mean smoothed difference", "weights apart")):
        print(f"\n{name + ', seed':32}" + "".join(f" {seed:>9}" for seed in seeds) + "      mean")
        for pair in pairs:
            values = [one[pair][which] for one in smoothed]
            means[pair, which] = sum(values) / len(values)
            print(f"{pair[0] + ' - ' + pair[1]:32}" + "".join(f" {value:9.2e}" for value in values)
                  + f" {means[pair, which]:9.2e}")
    own, theirs = means[pairs[0], 0], means[pairs[1], 0]
    print(f"\nfast and {options.reference} differ by {'no more' if own <= theirs else 'MORE'} than PyTorch's formats "
          f"({own:.2e} and {theirs:.2e}, largest smoothed difference, mean of {len(seeds)} seeds)")
    return own <= theirs


def main():
    options = parse()
    seeds, smoothed = options.seeds.split(","), []
    for seed in seeds:
        options.seed, options.folder = seed, f"{options.out}/seed-{seed}"
        prepare(options)
        for run in runs_of(options):
            if options.only in (None, run):
                make(options, run)
        if all(os.path.exists(f"{options.folder}/{run}.losses") for run in runs_of(options)):
            smoothed.append(report(options))
    if len(smoothed) == len(seeds):
        sys.exit(0 if compare_seeds(options, seeds, smoothed) else 1)


if __name__ == "__main__":
    main()
