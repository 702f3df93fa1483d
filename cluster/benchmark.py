#!/usr/bin/env python3
"""Quintet beside PyTorch + MONAI and scipy, interleaved, on this machine.

    make build
    python3 -m venv venv && venv/bin/pip install torch monai scipy
    python3 cluster/benchmark.py --python venv/bin/python --write docs/BENCHMARKS.md

Every round runs each program once, in an order that turns round from one round to the next; tables show medians over
the rounds' medians, from the smallest to the largest in brackets, and ratios as the median of the rounds' ratios.
Numbers mean something only on a machine that does nothing else. Two cores take some ten minutes. Sections:

    network      seconds a sample, forward and training step; PyTorch stock (batch 1) and tuned (batch 2, and malloc
                 told to keep its memory); memory of each
    memory       a training step's memory, also at the paper's slab
    scaling      from one thread to two (or --threads)
    lesions      one training sample with lesions, one thread, beside scipy
    postprocess  from the vote to the mask, beside scipy; both must find the same voxels
    vote         five volumes' majority, beside numpy; likewise
    start        from the start of the process to the first training step
    layers       every operation, with its share of the machine's peak and beside PyTorch's convolution
    rewritings   the network without each rewriting of its graph, beside the whole
    flat         the liver recipe's two networks, a batch of eight slices, forward and training step; PyTorch stock and
                 tuned (malloc told to keep its memory, channels last, denormal numbers taken for 0)
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}
SECTIONS = ["network", "memory", "scaling", "lesions", "postprocess", "vote", "start", "layers", "rewritings", "flat"]
NEEDED = {"lesions": ["scipy"], "postprocess": ["scipy"], "vote": ["numpy"], "scaling": [], "layers": [],
          "rewritings": [], "flat": ["torch"]}


class Failed(Exception):
    pass


def run(command, environment=None, text=None):
    done = subprocess.run(command, env={**os.environ, **(environment or {})}, input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}\nended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.size = arguments.size or "32x256x256"
        self.volume = arguments.size or "300x512x512"
        self.slab = arguments.size or "32x512x512"
        self.slices = arguments.size or "8x256x256"
        self.raw = {}

    def quintet(self, what, *options, threads=None):
        words = [self.arguments.quintet, "bench", what, *options, "--threads", str(threads or self.arguments.threads)]
        report = json.loads(run([*words, "--json"]))
        report["seconds"] = report["secondsPerSample"]
        return report

    def peer(self, program, *options, environment=None, text=None):
        report = json.loads(run([self.arguments.python, HERE / "peers" / program, *options], environment, text))
        if "seconds" in report:
            report["seconds"] = statistics.median(report["seconds"])
        return report

    def torch(self, mode, size, tuned=False, threads=None, samples=3):
        return self.peer("torch_unet.py", mode, "--size", size, "--batch", "2" if tuned else "1", "--threads",
                         str(threads or self.arguments.threads), "--samples", str(samples),
                         environment=TUNED if tuned else None)

    def rounds(self, section, contestants, rounds=None):
        """Runs every contestant once a round, forwards and backwards in turn: {name: [report of each round]}."""
        reports = {name: [] for name in contestants}
        for number in range(rounds or self.arguments.rounds):
            names = list(contestants) if number % 2 == 0 else list(contestants)[::-1]
            for name in names:
                say(f"{section}: round {number + 1}, {name}")
                reports[name].append(contestants[name]())
        self.raw[section] = reports
        return reports

    # Sections: each gives its table's lines.

    def network(self):
        contestants = {}
        for mode in ("infer", "train"):
            contestants[f"{mode} quintet"] = lambda mode=mode: self.quintet("network", "--mode", mode, "--size",
                                                                            self.size)
            contestants[f"{mode} stock"] = lambda mode=mode: self.torch(mode, self.size)
            contestants[f"{mode} tuned"] = lambda mode=mode: self.torch(mode, self.size, tuned=True)
        reports = self.rounds("network", contestants)
        rows = []
        for mode, name, target in (("infer", "forward", "4 / 2"), ("train", "training step", "4 / 2.2")):
            ours, stock, tuned = (reports[f"{mode} {who}"] for who in ("quintet", "stock", "tuned"))
            share = statistics.median(report.get("shareOfPeak") or 0 for report in ours)
            rows.append([f"{name}, s a sample", spread(ours), spread(stock), ratio(stock, ours), spread(tuned),
                         ratio(tuned, ours), target, f"{share:.0%}"])
            rows.append([f"{name}, MiB", memory(ours), memory(stock), share_of(ours, stock), memory(tuned),
                         share_of(ours, tuned), "0.6 (training)", ""])
        head = ["whole network, " + self.size, "Quintet", "PyTorch stock", "ratio", "PyTorch tuned", "ratio",
                "at least (stock / tuned); memory at most", "share of peak, by the definition's operations"]
        return table(head, rows) + ["", "Tuned runs hold a batch of two samples in memory; the times are a sample's."]

    def memory(self):
        rows = []
        for size in dict.fromkeys([self.size, self.slab]):
            reports = self.rounds(f"memory {size}", {
                "quintet": lambda: self.quintet("network", "--mode", "train", "--size", size, "--samples", "1"),
                "stock": lambda: self.torch("train", size, samples=1),
            }, rounds=1)
            ours, stock = reports["quintet"], reports["stock"]
            rows.append([f"training step, {size}, MiB resident", memory(ours), memory(stock), share_of(ours, stock),
                         "0.6"])
        return table(["memory", "Quintet", "PyTorch stock", "share", "at most"], rows)

    def scaling(self):
        many = max(2, self.arguments.threads)
        rows, contestants = [], {}
        for mode in ("infer", "train"):
            for threads in (1, many):
                contestants[f"{mode} {threads}"] = lambda mode=mode, threads=threads: self.quintet(
                    "network", "--mode", mode, "--size", self.size, threads=threads)
        for threads in (1, many):
            contestants[f"lesions {threads}"] = lambda threads=threads: self.quintet(
                "lesions", "--size", self.slab, threads=threads)
            contestants[f"postprocess {threads}"] = lambda threads=threads: self.quintet(
                "postprocess", "--size", self.volume, threads=threads)
        reports = self.rounds("scaling", contestants)
        for what in ("infer", "train", "lesions", "postprocess"):
            one, all_ = reports[f"{what} 1"], reports[f"{what} {many}"]
            rows.append([what, spread(one), spread(all_), ratio(one, all_), "1.8" if many == 2 else ""])
        return table(["scaling", "1 thread, s", f"{many} threads, s", "times faster", "at least"], rows)

    def lesions(self):
        reports = self.rounds("lesions", {
            "quintet": lambda: self.quintet("lesions", "--size", self.slab, threads=1),
            "scipy": lambda: self.peer("lesions_scipy.py", "--size", self.slab, "--samples", "8"),
        })
        ours, theirs = reports["quintet"], reports["scipy"]
        row = [f"one sample, {self.slab}, one thread, s", spread(ours), spread(theirs), ratio(theirs, ours), "15"]
        return table(["synthetic lesions", "Quintet", "scipy", "ratio", "at least"], [row])

    def postprocess(self):
        many = self.arguments.threads
        contestants = {f"quintet {threads}": lambda threads=threads: self.quintet(
            "postprocess", "--size", self.volume, threads=threads) for threads in dict.fromkeys([1, many])}
        contestants["scipy"] = lambda: self.peer("postprocess_scipy.py", "postprocess", "--size", self.volume)
        reports = self.rounds("postprocess", contestants)
        theirs = reports["scipy"]
        smaller = [{"seconds": statistics.median(report["croppedSeconds"])} for report in theirs]
        rows = []
        for threads in dict.fromkeys([1, many]):
            ours = reports[f"quintet {threads}"]
            same(ours, theirs, ["coreVoxels", "grownVoxels", "lungVoxels"])
            rows.append([f"{self.volume}, Quintet's threads: {threads}, s", spread(ours), spread(theirs),
                         ratio(theirs, ours), spread(smaller), ratio(smaller, ours), "10"])
        head = ["post-processing", "Quintet", "scipy", "ratio", "scipy, cropped to the lungs", "ratio",
                "at least (not cropped)"]
        return table(head, rows)

    def vote(self):
        reports = self.rounds("vote", {
            "quintet": lambda: self.quintet("vote", "--size", self.volume),
            "numpy": lambda: self.peer("postprocess_scipy.py", "vote", "--size", self.volume, "--samples", "3"),
        })
        ours, theirs = reports["quintet"], reports["numpy"]
        same(ours, theirs, ["healthyVoxels"])
        pack, majority = ([{"seconds": report[key]} for report in ours] for key in ("packSeconds", "majoritySeconds"))
        rows = [[f"five volumes of {self.volume} to a vote, s", spread(ours), spread(theirs), ratio(theirs, ours)],
                ["of it, probabilities to bits, s", spread(pack), "", ""],
                ["of it, the majority, s", spread(majority), "", ""]]
        return table(["vote", "Quintet", "numpy", "ratio"], rows)

    def start(self):
        quintet = [self.arguments.quintet, "bench", "start", "--size", self.size, "--threads",
                   str(self.arguments.threads)]
        torch = [self.arguments.python, HERE / "peers" / "torch_unet.py", "start", "--size", self.size, "--threads",
                 str(self.arguments.threads)]
        reports = self.rounds("start", {"quintet": lambda: until_first_step(quintet),
                                        "pytorch": lambda: until_first_step(torch)})
        ours, theirs = reports["quintet"], reports["pytorch"]
        row = [f"process start to first training step, {self.size}, s", spread(ours), spread(theirs),
               ratio(theirs, ours), "0.3 s at most"]
        return table(["start", "Quintet", "PyTorch + MONAI", "ratio", "target"], [row])

    def layers(self):
        reports = []
        for number in range(self.arguments.rounds):
            say(f"layers: round {number + 1}")
            report = self.quintet("layers", "--size", self.size)
            convolutions = [row for row in report["rows"] if "gigaflops" in row]
            if self.arguments.has_torch:
                times = self.peer("torch_unet.py", "layers", "--threads", str(self.arguments.threads),
                                  environment=TUNED, text=json.dumps([peer_row(row) for row in convolutions]))["rows"]
                for row, seconds in zip(convolutions, times):
                    row["peerMilliseconds"] = 1000 * statistics.median(seconds)
            reports.append(report)
        self.raw["layers"] = reports
        return layer_tables(reports, self.size)


    def rewritings(self):
        names, rows = ("residuals-in-norms", "joined-convolutions"), []
        for mode in ("infer", "train"):
            def run(*more, mode=mode):
                return self.quintet("network", "--mode", mode, "--size", self.size, *more)

            reports = self.rounds(f"rewritings {mode}", {"all": run, **{
                name: lambda name=name: run("--skip-rewriting", name) for name in names}}, self.arguments.rounds * 2)
            whole = reports["all"]
            for name in names:
                rows.append([f"{mode}, without {name}", spread(reports[name]), spread(whole),
                             ratio(reports[name], whole), share_of(whole, reports[name])])
        return table([f"rewritings, {self.size}", "without, s", "with, s", "times faster", "memory, share"], rows)

    def flat(self):
        rows = []
        for network in ("restorer", "segmenter"):
            for mode, name in (("infer", "forward"), ("train", "training step")):
                def ours(mode=mode, network=network):
                    return self.quintet("network", "--recipe", "liver-restore-segment", "--network", network, "--mode",
                                        mode, "--size", self.slices, "--samples", "3")

                def theirs(*more, environment=None, mode=mode, network=network):
                    return self.peer("torch_flat.py", mode, "--network", network, "--size", self.slices, "--threads",
                                     str(self.arguments.threads), "--samples", "1", *more, environment=environment)

                reports = self.rounds(f"flat {network} {mode}", {
                    "quintet": ours, "stock": theirs,
                    "tuned": lambda: theirs("--tuned", environment=TUNED)})
                mine, stock, tuned = (reports[who] for who in ("quintet", "stock", "tuned"))
                rows.append([f"{network}, {name}, s a batch", spread(mine), spread(stock), ratio(stock, mine),
                             spread(tuned), ratio(tuned, mine), "2"])
                rows.append([f"{network}, {name}, MiB", memory(mine), memory(stock), share_of(mine, stock),
                             memory(tuned), share_of(mine, tuned), "1 at most"])
        head = [f"networks in 2D, {self.slices}", "Quintet", "PyTorch stock", "ratio", "PyTorch tuned", "ratio",
                "at least"]
        return table(head, rows)


def until_first_step(command):
    """Seconds from here to the line "first step begins" on its stderr; then the rest is waited for."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    seconds, lines = None, []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("first step begins"):
            seconds = time.perf_counter() - start
    if process.wait() != 0 or seconds is None:
        raise Failed(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{''.join(lines)[-2000:]}")
    return {"seconds": seconds}


def peer_row(row):
    """A row of `quintet bench layers` as torch_unet.py reads it, with the size of the layer's input."""
    channels, kernel, stride = row["layer"].split()
    inputs, outputs = (int(number) for number in channels.split("->"))
    transposed = stride.startswith("up")
    step = int(stride.removeprefix("up" if transposed else "s"))
    written = [int(side) for side in row["size"].split("x")]
    # "size" is the output's for a convolution, the input's for a data gradient, the coarser for a weight gradient.
    if row["operation"] == "convolution":
        size = [side // step if transposed else side * step for side in written]
    elif row["operation"] == "weight gradient" and not transposed:
        size = [side * step for side in written]
    else:
        size = written
    return {"operation": row["operation"], "inputs": inputs, "outputs": outputs, "kernel": int(kernel[1:]),
            "stride": step, "transposed": transposed, "size": size}


def layer_tables(reports, size):
    rows = {}
    for report in reports:
        for row in report["rows"]:
            rows.setdefault((row["operation"], row["layer"], row["size"]), []).append(row)

    def median(group, key):
        values = [row[key] for row in group if row.get(key) is not None]
        return statistics.median(values) if values else None

    def show(value, form):
        return "" if value is None else format(value, form)

    ordered = sorted(rows.items(), key=lambda item: -median(item[1], "shareOfTime"))
    multiplying, moving = [], []
    for (operation, layer, place), group in ordered:
        time_share = median(group, "shareOfTime")
        common = [f"{operation} {layer}", place, str(group[0]["callsPerSample"]),
                  f"{median(group, 'millisecondsPerCall'):.2f}", f"{time_share:.1%}"]
        if "gigaflops" in group[0]:
            theirs, busy = median(group, "peerMilliseconds"), median(group, "computedShareOfPeak")
            multiplying.append(common + [
                show(median(group, "gigaflops"), ".0f"), show(median(group, "shareOfPeak"), ".0%"), show(busy, ".0%"),
                show(median(group, "multiplicationsSaved"), ".1f"), show(theirs, ".2f"),
                show(theirs and theirs / median(group, "millisecondsPerCall"), ".1f")])
        elif time_share >= 0.001:
            moving.append(common + [show(median(group, "gigabytesPerSecond"), ".1f"),
                                    show(median(group, "shareOfBandwidth"), ".0%")])
    machine = reports[len(reports) // 2]
    sides = machine["sideSeconds"]
    step, other = (statistics.median(report[key] for report in reports) for key in ("seconds", "otherSeconds"))
    lines = [f"A training step of {size}; the machine at most: {machine['peakGigaflops']:.0f} GFLOP/s, "
             f"{machine['bandwidthGigabytesPerSecond']:.1f} GB/s ({machine['kernels']}, threads: "
             f"{machine['threads']}). The step: {step:.3f} s, of it beside the rows {other:.3f} s: "
             + ", ".join(f"{name} {1000 * statistics.median(report['sideSeconds'][name] for report in reports):.1f} ms"
                         for name in sorted(sides, key=sides.get, reverse=True)) + ".", ""]
    common = ["size", "calls", "ms a call", "of the time"]
    lines += table(["convolution", *common, "GFLOP/s", "of peak", "busy", "saved", "PyTorch ms", "ratio"], multiplying)
    return lines + [""] + table(["moves only", *common, "GB/s", "of bandwidth"], moving)


def spread(reports):
    values = [report["seconds"] for report in reports]
    return f"{statistics.median(values):.3g} ({min(values):.3g}–{max(values):.3g})"


def ratio(theirs, ours):
    values = [a["seconds"] / b["seconds"] for a, b in zip(theirs, ours)]
    return f"**{statistics.median(values):.2f}** ({min(values):.2f}–{max(values):.2f})"


def memory(reports):
    return f"{statistics.median(report['peakMemoryBytes'] for report in reports) / 2 ** 20:.0f}"


def share_of(ours, theirs):
    values = [a["peakMemoryBytes"] / b["peakMemoryBytes"] for a, b in zip(ours, theirs)]
    return f"**{statistics.median(values):.2f}**"


def same(ours, theirs, keys):
    """Both did the same work: the answers have the same voxels, but for a few where a sum lies on the threshold."""
    for key in keys:
        a, b = ours[0][key], theirs[0][key]
        if abs(a - b) > 1e-4 * max(a, b):
            raise Failed(f"the two answers differ: {key} is {a} here and {b} there")


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)] + rows
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def processor():
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "an unknown processor"


def machine_lines(arguments):
    with open("/proc/meminfo") as info:
        gigabytes = int(next(info).split()[1]) / 2 ** 20
    versions = [run([arguments.quintet, "--version"]).strip()]
    probe = "import importlib.metadata as m, sys; print(*[f'{n} {m.version(n)}' for n in sys.argv[1:]], sep=', ')"
    for name in ("torch", "monai", "scipy", "numpy"):
        try:
            versions.append(run([arguments.python, "-c", probe, name]).strip())
        except Failed:
            pass
    return [f"{processor()}, {os.cpu_count()} cores, {gigabytes:.0f} GiB, {platform.system()}; {', '.join(versions)}.", "",
            "```", *run([arguments.quintet, "bench", "peak"]).splitlines(), "```"]


def write(path, name, lines):
    """Replaces what stands between <!-- name --> and <!-- /name -->."""
    text = path.read_text()
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in text or end not in text:
        raise Failed(f"{path} has no place for \"{name}\": it needs the lines {begin} and {end}")
    before, rest = text.split(begin, 1)
    path.write_text(before + begin + "\n" + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1])


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def check(arguments, sections):
    if not os.access(arguments.quintet, os.X_OK):
        raise Failed(f"{arguments.quintet} is not there: run \"make build\" first, or say where with --quintet")
    importable = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n) is None])"
    missing = run([arguments.python, "-c", importable, "numpy", "scipy", "torch", "monai"]).split()
    arguments.has_torch = "torch" not in missing
    for section in sections:
        lacking = [name for name in NEEDED.get(section, ["torch", "monai"]) if name in missing]
        if lacking:
            raise Failed(f"{arguments.python} has no {' and no '.join(lacking)}, which \"{section}\" compares with:\n"
                         "  python3 -m venv venv && venv/bin/pip install torch monai scipy\n"
                         "  python3 cluster/benchmark.py --python venv/bin/python")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="a Python with torch, monai and scipy")
    parser.add_argument("--quintet", default=str(HERE.parent / ".build" / "release" / "quintet"))
    parser.add_argument("--only", action="append", choices=SECTIONS, help="this section; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--size", help="DxHxW for everything; default 32x256x256 for the network, 32x512x512 for "
                        "lesions, 300x512x512 for post-processing and the vote")
    parser.add_argument("--write", type=pathlib.Path, metavar="FILE", help="put the tables into this document")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="every report of every round")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.threads < 1:
        parser.error("--rounds and --threads are at least 1")
    return arguments


def main():
    arguments = parse()
    sections = arguments.only or SECTIONS
    try:
        check(arguments, sections)
        load = os.getloadavg()[0]
        if load > 0.5:
            say(f"the machine is busy (load {load:.1f}): these numbers will mean little")
        bench = Bench(arguments)
        tables = {"machine": machine_lines(arguments)}
        for section in sections:
            load = os.getloadavg()[0]
            tables[section] = getattr(bench, section)() + ["", (
                f"Measured {datetime.date.today().isoformat()} on {processor()}; threads, unless said otherwise: {arguments.threads}; "
                f"rounds: {arguments.rounds}; load when it began: {load:.1f}.")]
            # At once, so that what was measured is not lost with what fails later.
            if arguments.write:
                # The machine of the document is that of all its tables; one that is measured later says its own.
                for name in (("machine",) if not arguments.only else ()) + (section,):
                    write(arguments.write, name, tables[name])
            if arguments.json:
                arguments.json.write_text(json.dumps(bench.raw, indent=1))
        for name, lines in tables.items():
            print(f"\n## {name}\n\n" + "\n".join(lines))
    except Failed as failure:
        sys.exit(f"benchmark: {failure}")
    except KeyboardInterrupt:
        sys.exit("benchmark: interrupted; sections that were done are written")


main()
