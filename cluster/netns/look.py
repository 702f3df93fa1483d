#!/usr/bin/env python3
"""Waits for something at a coordinator, which it asks by `quintet status` (QUINTET, QUINTET_COORDINATOR, ...).

    look.py workers COUNT     until so many are connected
    look.py KIND RUN          until the history has an event of that kind of the run that is labelled so
    look.py recovery          from now on: until every worker has been heard, and until work has moved; prints both
Ends with 1 and what is missing after LOOK_SECONDS (default 120).
"""
import json
import os
import signal
import subprocess
import sys
import time

MOVES = {"lease", "checkpoint", "metrics", "result", "ready", "voting", "vote", "finish", "release"}


def status():
    command = [os.environ["QUINTET"], "status", "--history", "--json"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30)
    return json.loads(answer.stdout) if answer.returncode == 0 else None


def moves(now):
    """Grows, or at least changes, whenever a worker got on with something."""
    events = sum(event["kind"] in MOVES for event in now["events"])
    iterations = sum(replica["iteration"] for run in now["runs"] for replica in run.get("replicas", []))
    # Of many checkpoints under one lease the history keeps the latest.
    saved = sum(replica["checkpointIteration"] for run in now["runs"] for replica in run.get("replicas", []))
    return events, iterations, saved


def until(is_so, what):
    began = time.monotonic()
    limit = float(os.environ.get("LOOK_SECONDS", 120))
    while time.monotonic() < began + limit:
        now = status()
        if now and is_so(now, time.monotonic() - began):
            return time.monotonic() - began
        time.sleep(0.2)
    sys.exit(f"look.py: after {limit:.0f} s still not: {what}")


def recovery():
    before, seen = moves(status()), {}

    def is_over(now, elapsed):
        heard = [worker for worker in now["workers"] if worker["isConnected"] and worker["silentSeconds"] < elapsed]
        is_at_rest = all(run["state"] != "running" for run in now["runs"])
        if len(heard) == len(now["workers"]):
            seen.setdefault("heard", elapsed)
        if moves(now) != before or is_at_rest:
            seen.setdefault("work", elapsed)
        return len(seen) == 2

    until(is_over, "every worker heard, and work that moves")
    print(f"all heard after {seen['heard']:.1f} s, work moved after {seen['work']:.1f} s")


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the script says what Ctrl-C means
    if sys.argv[1] == "recovery":
        recovery()
    elif sys.argv[1] == "workers":
        count = int(sys.argv[2])
        until(lambda now, _: sum(worker["isConnected"] for worker in now["workers"]) == count, f"{count} workers")
    else:
        kind, label = sys.argv[1:3]

        def has_happened(now, _):
            runs = {run["id"] for run in now["runs"] if run["label"] == label}
            return any(event["kind"] == kind and event.get("run") in runs for event in now["events"])

        until(has_happened, f"{kind} of {label}")


if __name__ == "__main__":
    main()
