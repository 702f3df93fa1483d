"""Reads the event files of `quintet train --tensorboard DIR` back with the tensorboard package, and compares every
point with the run's metrics.csv: no iteration missing, doubled or out of order, no value off by more than 32 bits
round.

    python3 -m venv venv && venv/bin/pip install tensorboard
    venv/bin/python cluster/export/check_tensorboard.py RUN DIR
"""

import csv
import json
import math
import pathlib
import sys

import numpy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# metrics.csv has seconds with four digits behind the point.
SECONDS_TOLERANCE = 6e-5


def curves(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return {tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
            for tag in accumulator.Tags()["scalars"]}


def main(run, board):
    run, board = pathlib.Path(run), pathlib.Path(board)
    about = json.loads((run / "run.json").read_text())
    with open(run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in ("step", "replica", "iteration")]
    stems = {"restore": "restorer"}
    points, worst = 0, 0.0
    for key in sorted({(row.get("step"), row["replica"]) for row in rows}, key=str):
        own = [row for row in rows if (row.get("step"), row["replica"]) == key]
        folder = board / f"{stems.get(key[0], 'replica')}-{key[1]}"
        found = curves(folder)
        for name in names:
            expected = [(int(row["iteration"]), float(row[name])) for row in own if not math.isnan(float(row[name]))]
            steps = [step for step, _ in found.get(name, [])]
            assert steps == [step for step, _ in expected], f"{folder}: {name} has the iterations {steps[:5]} ..."
            for (_, value), (step, wanted) in zip(found.get(name, []), expected):
                tolerance = SECONDS_TOLERANCE if name == "seconds" else abs(float(numpy.spacing(numpy.float32(wanted))))
                assert abs(value - wanted) <= tolerance, f"{folder}: {name} of {step} is {value}, not {wanted}"
                worst = max(worst, abs(value - wanted) if name != "seconds" else 0.0)
                points += 1
        rates = {value for _, value in found["learning_rate"]}
        wanted = numpy.float32(about["configuration"]["preset"]["learningRate"])
        assert rates == {float(wanted)}, f"{folder}: learning rates {rates}, not {wanted}"
    print(f"{points} points of {len(rows)} rows in {board}; off by {worst:.1e} at most")


if __name__ == "__main__":
    main(*sys.argv[1:])
