#!/usr/bin/env python3
"""stream.py RUN ARCHIVE FOLDER [options]: an archive through one coordinator and two workers on this machine, killed on
the way, and what came of it. Prints a line now and then and at the end the figures. QUINTET is the program. Python's
standard library only; nothing that it starts survives it."""

import argparse
import collections
import csv
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

QUINTET = os.path.abspath(os.environ.get("QUINTET", ".build/release/quintet"))


class Cluster:
    def __init__(self, folder, run, archive, options):
        self.folder, self.options, self.port = folder, options, 0
        self.state, self.out = f"{folder}/state", f"{folder}/masks"
        self.client_words = ["segment", "--run", run, "--in", archive, "--out", self.out, "--quiet",
                             "--window", str(options.window), *options.more]
        self.workers, self.worker_count = {}, 0
        self.start_coordinator()
        for place in range(options.workers):
            self.start_worker(place)
        self.start_client()

    def spawn(self, log, *words):
        with open(f"{self.folder}/{log}.log", "ab") as file:
            return subprocess.Popen([QUINTET, *words], stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def start_coordinator(self):
        file = f"{self.folder}/port"
        if os.path.exists(file):
            os.remove(file)
        self.coordinator = self.spawn("coordinator", "coordinator", "--state", self.state, "--listen",
                                      f"127.0.0.1:{self.port}", "--port-file", file, "--lease-seconds", "10")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            text = open(file).read().strip() if os.path.exists(file) else ""
            if text:
                self.port = int(text.rsplit(":", 1)[-1])
                return
            time.sleep(0.02)
        raise SystemExit("the coordinator does not start")

    def address(self):
        return ["--coordinator", f"127.0.0.1:{self.port}"]

    def start_worker(self, place):
        self.worker_count += 1
        self.workers[place] = self.spawn(
            f"worker-{place}", "worker", *self.address(), "--threads", str(self.options.threads), "--cache",
            f"{self.folder}/cache-{place}", "--cache-gib", "2", "--name", f"worker{place}")

    def start_client(self):
        self.client = self.spawn("client", *self.client_words, *self.address())

    def kill(self, what):
        if what == "coordinator":
            self.coordinator.kill()
            self.coordinator.wait()
            self.start_coordinator()
        elif what == "client":
            self.client.kill()
            self.client.wait()
            self.start_client()
        else:
            place = int(what.split("-")[1])
            self.workers[place].kill()
            self.workers[place].wait()
            self.start_worker(place)

    def end(self):
        for child in [self.client, *self.workers.values(), self.coordinator]:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in [self.client, *self.workers.values(), self.coordinator]:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def size(folder):
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                pass
    return total


def resident(pid):
    try:
        with open(f"/proc/{pid}/status") as file:
            return next((int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS:")), 0)
    except FileNotFoundError:
        return 0


def answers(out):
    try:
        with open(f"{out}/archive.csv") as file:
            return max(0, sum(1 for _ in file) - 1)
    except FileNotFoundError:
        return 0


def check(cluster, count):
    """Every CT has one answer, and none was sent or accepted twice."""
    with open(f"{cluster.out}/archive.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    states = collections.Counter(row["state"] for row in rows)
    database = sqlite3.connect(f"file:{cluster.state}/state.sqlite?mode=ro", uri=True)
    items = database.execute("SELECT count(*), count(DISTINCT name) FROM items").fetchone()
    finished = database.execute("SELECT count(*) FROM works w JOIN steps s ON s.run = w.run AND s.position = w.step "
                                "WHERE s.label = 'finish' AND w.state = 'done'").fetchone()[0]
    leases = dict(database.execute("SELECT ifnull(outcome, 'running'), count(*) FROM leases GROUP BY 1").fetchall())
    left = database.execute("SELECT count(*) FROM item_inputs").fetchone()[0]
    names = {row["name"] for row in rows}
    return {
        "rows": len(rows), "names": len(names), **states, "sent": items[0], "sentNames": items[1],
        "finished": finished, "leases": leases, "inputsLeftAtTheCoordinator": left,
        "isWhole": len(rows) == len(names) == count == items[0] == items[1] == finished,
        "workers": dict(collections.Counter(row["worker"].split(":")[0] for row in rows)),
        "computingSecondsMedian": sorted(float(row["seconds"] or 0) for row in rows)[len(rows) // 2] if rows else 0,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("archive")
    parser.add_argument("folder")
    parser.add_argument("--window", type=float, default=1.0, help="GiB")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("more", nargs="*", help="more words for segment, behind --")
    options = parser.parse_args()
    os.makedirs(options.folder)
    count = sum(name.endswith(".nii.gz") for _, _, names in os.walk(options.archive) for name in names)
    chance = random.Random(options.seed)
    whom = ["coordinator", "client", "worker-0", f"worker-{options.workers - 1}"]
    plan = [((number + 1) * count // (options.kills + 1), whom[number % len(whom)]) for number in range(options.kills)]
    start = time.monotonic()
    cluster = Cluster(options.folder, os.path.abspath(options.run), os.path.abspath(options.archive), options)
    figures = {"count": count, "folderBytesMost": 0, "coordinatorBytes": [], "firstAnswerSeconds": None, "kills": []}
    said, code = 0, None
    try:
        while True:
            now, done = time.monotonic() - start, answers(cluster.out)
            figures["folderBytesMost"] = max(figures["folderBytesMost"], size(cluster.state))
            if figures["firstAnswerSeconds"] is None and done > 0:
                figures["firstAnswerSeconds"] = round(now, 2)
            if plan and done >= plan[0][0]:
                what = plan.pop(0)[1]
                time.sleep(chance.uniform(0, 2))
                cluster.kill(what)
                figures["kills"].append([done, what])
                print(f"{now:7.1f} s  {done} answers  killed: {what}", flush=True)
            if now - said > 60:
                said, memory = now, resident(cluster.coordinator.pid)
                figures["coordinatorBytes"].append(memory)
                print(f"{now:7.1f} s  {done} of {count}  state {size(cluster.state) / 2**20:.0f} MiB  coordinator "
                      f"{memory / 2**20:.0f} MiB", flush=True)
            code = cluster.client.poll()
            if code is not None:
                break
            time.sleep(0.5)
        seconds = time.monotonic() - start
        figures.update(code=code, seconds=round(seconds, 1), anHour=round(count / seconds * 3600),
                       windowBytes=int(options.window * 2**30), **check(cluster, count))
    finally:
        cluster.end()
    print(json.dumps(figures, indent=1))
    sys.exit(0 if code == 0 and figures["isWhole"] else 1)


if __name__ == "__main__":
    main()
