"""Real kills: see chaos.sh. Python's standard library only."""

import argparse
import glob
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

QUINTET = os.path.abspath(os.environ["QUINTET"])
WORKERS = 4
REPLICAS = 3
LEASE_SECONDS = 2
ABSENCE_LEASE_SECONDS = 6
GRID = ["--preset", "demo", "--spacing", "6,5,5", "--plane", "40,64"]
NETWORK = ["--slab", "8", "--channels", "8,16", "--strides", "2", "--batch", "2"]
# A round that takes longer than this hangs.
ROUND_SECONDS_MAX = 600


def quintet(*words, cwd):
    subprocess.run([QUINTET, *words], cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def digests(*folders):
    """SHA-256 of what a run promises: weights, masks, lungs, and the figures without the times."""
    found = {}
    for folder in folders:
        for path in sorted(glob.glob(f"{folder}/**/*", recursive=True)):
            name = os.path.basename(folder).split("-")[-1] + path[len(folder):]
            if path.endswith((".safetensors", ".nii.gz")):
                content = open(path, "rb").read()
            elif path.endswith("metrics.csv"):
                content = "\n".join(",".join(line.split(",")[:4]) for line in open(path)).encode()
            elif path.endswith("archive.csv"):
                # Without who computed it, and how long.
                content = "\n".join(",".join(line.split(",")[:-2]) for line in open(path)).encode()
            else:
                continue
            found[name] = hashlib.sha256(content).hexdigest()
    return found


class Cluster:
    """A coordinator, its workers and the client's command, all children of this process."""

    def __init__(self, folder, lease_seconds=LEASE_SECONDS):
        self.folder, self.lease_seconds, self.port = folder, lease_seconds, 0
        os.makedirs(folder)
        self.workers, self.worker_count, self.children = [], 0, []
        self.coordinator = self.start_coordinator()

    def spawn(self, log, *words, cwd=None):
        with open(f"{self.folder}/{log}.log", "ab") as output:
            child = subprocess.Popen(
                [QUINTET, *words], cwd=cwd or self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.children.append(child)
        return child

    def start_coordinator(self):
        port_file = f"{self.folder}/port"
        if os.path.exists(port_file):
            os.remove(port_file)
        process = self.spawn(
            "coordinator", "coordinator", "--state", "state", "--listen", f"127.0.0.1:{self.port}",
            "--lease-seconds", str(self.lease_seconds), "--port-file", "port")
        deadline = time.monotonic() + 60
        while not os.path.exists(port_file):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the coordinator does not start; see {self.folder}/coordinator.log")
            time.sleep(0.01)
        self.port = int(open(port_file).read())
        return process

    def start_worker(self):
        # Two of the four share a cache.
        number, cache = self.worker_count, min(self.worker_count % WORKERS, 2)
        self.worker_count += 1
        worker = self.spawn(
            f"worker-{number}", "worker", "--coordinator", f"127.0.0.1:{self.port}", "--threads", "1", "--cache",
            f"cache-{cache}")
        worker.log = f"{self.folder}/worker-{number}.log"
        self.workers.append(worker)
        return worker

    def status(self):
        answer = subprocess.run(
            [QUINTET, "status", "--coordinator", f"127.0.0.1:{self.port}", "--json"], capture_output=True)
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def end(self):
        """SIGTERM to all. Returns the seconds that the slowest worker and the coordinator needed, and their codes."""
        # One that was started just now may not have come to where it listens to signals.
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
        patience = time.monotonic() + 20
        while any(os.path.getsize(worker.log) == 0 for worker in self.workers) and time.monotonic() < patience:
            time.sleep(0.05)
        times, codes = [], []
        for group in (self.workers, [self.coordinator]):
            start = time.monotonic()
            for process in group:
                process.send_signal(signal.SIGTERM)
            codes += [process.wait(60) for process in group]
            times.append(time.monotonic() - start)
        return times, codes

    def kill(self):
        for process in self.children:
            if process.poll() is None:
                process.kill()
                process.wait()


class Audit:
    """What the coordinator's database and the workers' logs say after a round."""

    def __init__(self, cluster):
        self.problems = []
        database = sqlite3.connect(f"file:{cluster.folder}/state/state.sqlite?mode=ro", uri=True)
        if database.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            self.problems.append("integrity_check is not ok")
        if database.execute("PRAGMA foreign_key_check").fetchall():
            self.problems.append("a foreign key points nowhere")
        self.check_works(database)
        events = database.execute(
            "SELECT work, epoch, kind, iteration, outcome, message FROM events ORDER BY id").fetchall()
        self.check_epochs(events)
        self.check_acknowledged(cluster, events)
        self.turned_down = sum(kind == "stale" for _, _, kind, _, _, _ in events)
        self.lapsed = sum(outcome == "lapsed" for _, _, _, _, outcome, _ in events)
        self.restarts = len(glob.glob(f"{cluster.folder}/worker-*.log"))
        database.close()

    def check_works(self, database):
        # Votes are the coordinator's own: nobody leases them.
        for work, state in database.execute(
                "SELECT id, works.state FROM works JOIN steps ON steps.run = works.run"
                " AND steps.position = works.step WHERE kind <> 'vote'").fetchall():
            leases = database.execute("SELECT epoch, outcome FROM leases WHERE work = ?", (work,)).fetchall()
            outcomes = [outcome for _, outcome in leases]
            if state != "done" or outcomes.count("done") != 1 or None in outcomes:
                self.problems.append(f"work {work} is {state}; its leases: {leases}")
        for run, step, replicas, iterations in database.execute(
                "SELECT id, position, replica_count, iteration_count FROM runs JOIN steps ON run = id"
                " WHERE kind = 'session'").fetchall():
            (count,) = database.execute(
                "SELECT count(*) FROM figures WHERE run = ? AND step = ?", (run, step)).fetchone()
            if count != replicas * iterations:
                self.problems.append(f"run {run} has {count} figures, not {replicas * iterations}")

    def check_epochs(self, events):
        """At any moment at most one lease on a work runs, or two where the second one is a backup; nothing is accepted
        under a lease that has ended, and no work is done twice."""
        running, latest, done = {}, {}, set()
        self.backups = self.moves = 0
        for work, epoch, kind, _, _, message in events:
            if work is None or epoch is None:
                continue
            live = running.setdefault(work, set())
            if kind in ("lease", "backup"):
                if epoch <= latest.get(work, 0):
                    self.problems.append(f"work {work}: epoch {epoch} was given twice")
                if len(live) != (1 if kind == "backup" else 0):
                    self.problems.append(f"beside {live}: {message}")
                latest[work] = epoch
                live.add(epoch)
                self.backups += kind == "backup"
                continue
            if kind == "stale":
                continue
            # One that ran out may be revived or end well, while nobody else has the work.
            if epoch not in live and (live or epoch != latest[work]):
                self.problems.append(f"accepted under an old epoch: {message}")
            if kind == "revive":
                live.add(epoch)
            elif kind == "result":
                if work in done:
                    self.problems.append(f"done twice: {message}")
                done.add(work)
                live.clear()
            elif kind == "release":
                live.discard(epoch)
                self.moves += "has overtaken it" in message

    def check_acknowledged(self, cluster, events):
        """What a worker was told is safe, the coordinator knows, however often it was killed."""
        known = set()
        for work, epoch, kind, iteration, _, _ in events:
            # Of one of two that is not the furthest, the figures are kept.
            if kind in ("checkpoint", "metrics", "result"):
                known.add((work, epoch, "done" if kind == "result" else str(iteration)))
        self.acknowledged = 0
        pattern = re.compile(r"work (\d+) epoch (\d+): (?:what was trained up to iteration (\d+) is safe|done)$")
        for path in glob.glob(f"{cluster.folder}/worker-*.log"):
            for line in open(path, errors="replace"):
                found = pattern.search(line.strip())
                if not found:
                    continue
                self.acknowledged += 1
                if (int(found.group(1)), int(found.group(2)), found.group(3) or "done") not in known:
                    self.problems.append(f"acknowledged and lost: {line.strip()}")


def train_words(run, iterations):
    return ["train", "--data", "data", "--run", run, "--replicas", str(REPLICAS), "--checkpoint-seconds", "1",
            "--iterations", str(iterations)] + NETWORK


def segment_words(run, masks):
    return ["segment", "--run", run, "--in", "phantoms/diseased", "--masks", "phantoms/lungs", "--members", "--out",
            masks]


class Bench:
    """The data, the undisturbed run's digests, and rounds."""

    def __init__(self, folder, iterations):
        self.folder, self.iterations, self.clusters = folder, iterations, []
        quintet("phantom", "--out", "phantoms", "--count", "2", "--diseased", "2", "--spacing", "4,3.2,3.2", cwd=folder)
        quintet("prepare", "phantoms/healthy", "--masks", "phantoms/lungs", "--out", "data", *GRID, cwd=folder)
        start = time.monotonic()
        quintet(*train_words("calm-run", iterations), cwd=folder)
        quintet(*segment_words("calm-run", "calm-masks"), cwd=folder)
        self.calm_seconds = time.monotonic() - start
        self.expected = digests(f"{folder}/calm-run", f"{folder}/calm-masks")
        expected_count = REPLICAS + 1 + 1
        assert len(self.expected) > expected_count, self.expected

    def cluster(self, name, **options):
        cluster = Cluster(f"{self.folder}/{name}", **options)
        self.clusters.append(cluster)
        return cluster

    def end(self):
        for cluster in self.clusters:
            cluster.kill()


def storm(bench, number, kills_wanted, options, dice, figures):
    """One round: trains and segments while processes die. Returns the problems found."""
    cluster = bench.cluster(f"round-{number}")
    for _ in range(WORKERS):
        cluster.start_worker()
    run, masks = f"{cluster.folder}/stormy-run", f"{cluster.folder}/stormy-masks"
    address = ["--coordinator", f"127.0.0.1:{cluster.port}", "--quiet"]
    commands = [train_words(run, bench.iterations) + address, segment_words(run, masks) + address]
    deadline = time.monotonic() + ROUND_SECONDS_MAX
    for words in commands:
        client = cluster.spawn("client", *words, cwd=bench.folder)
        strike_at = time.monotonic() + dice.uniform(options.min_wait, options.max_wait)
        while True:
            if client.poll() is not None:
                if client.returncode == 0:
                    break
                return [f"the client ended with {client.returncode}; see {cluster.folder}/client.log"]
            if time.monotonic() > deadline:
                return [f"not done after {ROUND_SECONDS_MAX} s; see {cluster.folder}"]
            if time.monotonic() >= strike_at and figures["kills"] < kills_wanted:
                client = strike(cluster, client, words, bench, dice, figures)
                strike_at = time.monotonic() + dice.uniform(options.min_wait, options.max_wait)
            time.sleep(0.02)
    (worker_seconds, coordinator_seconds), codes = cluster.end()
    problems = [] if set(codes) == {0} else [f"exit codes after SIGTERM: {codes}"]
    if worker_seconds > options.leave_seconds:
        problems.append(f"workers needed {worker_seconds:.1f} s to leave")
    figures["slowest leave, s"] = max(figures["slowest leave, s"], worker_seconds, coordinator_seconds)
    audit = Audit(cluster)
    for name in ("turned_down", "lapsed", "acknowledged", "backups", "moves"):
        figures[name] += getattr(audit, name)
    found = digests(run, masks)
    for name in sorted(set(bench.expected) | set(found)):
        if bench.expected.get(name) != found.get(name):
            problems.append(f"{name} differs from the undisturbed run's")
    figures["digests compared"] += len(bench.expected)
    return problems + audit.problems


def strike(cluster, client, words, bench, dice, figures):
    """Kills, stops or asks to leave whoever is drawn; workers and coordinator are started again."""
    victim = dice.choice(["worker"] * WORKERS + ["coordinator", "client"])
    manner = "kill" if victim == "client" else dice.choice(["kill", "kill", "kill", "stop", "leave"])
    process = {"client": client, "coordinator": cluster.coordinator}.get(victim) or dice.choice(cluster.workers)
    if manner == "stop":
        process.send_signal(signal.SIGSTOP)
        time.sleep(cluster.lease_seconds + dice.uniform(0.5, 1.5))
        process.send_signal(signal.SIGCONT)
    else:
        process.send_signal(signal.SIGKILL if manner == "kill" else signal.SIGTERM)
        start = time.monotonic()
        code = process.wait(60)
        if manner == "leave":
            figures["slowest leave, s"] = max(figures["slowest leave, s"], time.monotonic() - start)
            # A worker that has only just begun may not listen to signals yet.
            assert code == 0 or victim == "worker", f"the {victim} left with {code} after SIGTERM"
        if victim == "client":
            client = cluster.spawn("client", *words, cwd=bench.folder)
        elif victim == "coordinator":
            time.sleep(dice.choice([0, 0, 1, 3]))
            cluster.coordinator = cluster.start_coordinator()
        else:
            cluster.workers.remove(process)
            cluster.start_worker()
    if manner == "kill":
        figures["kills"] += 1
    figures[f"{victim}: {manner}"] = figures.get(f"{victim}: {manner}", 0) + 1
    return client


def run_storm(bench, options, dice):
    figures = {name: 0 for name in (
        "kills", "rounds", "turned_down", "lapsed", "acknowledged", "backups", "moves", "digests compared",
        "slowest leave, s")}
    problems = []
    while figures["kills"] < options.kills and not problems:
        problems = storm(bench, figures["rounds"], options.kills, options, dice, figures)
        figures["rounds"] += 1
        print(f"{figures['kills']} of {options.kills} kills, {figures['rounds']} rounds", file=sys.stderr, flush=True)
        if not problems:
            shutil.rmtree(bench.clusters[-1].folder)
    return figures, problems


def run_zombies(bench, options, dice):
    """Stops a worker that has a lease until another one has its work, wakes it, and sees what it is told."""
    figures = {"zombies": 0, "sent away": 0, "accepted of theirs": 0, "rounds": 0}
    problems = []
    while figures["zombies"] < options.zombies and not problems:
        cluster = bench.cluster(f"zombies-{figures['rounds']}", lease_seconds=1)
        for _ in range(WORKERS):
            cluster.start_worker()
        run = f"{cluster.folder}/stormy-run"
        words = train_words(run, bench.iterations) + ["--coordinator", f"127.0.0.1:{cluster.port}", "--quiet"]
        client = cluster.spawn("client", *words, cwd=bench.folder)
        while client.poll() is None:
            if figures["zombies"] < options.zombies:
                make_zombie(cluster, client, dice, figures)
            time.sleep(0.05)
        if client.returncode != 0:
            problems.append(f"the client ended with {client.returncode}; see {cluster.folder}/client.log")
        cluster.end()
        audit = Audit(cluster)
        problems += audit.problems
        figures["accepted of theirs"] += sum("old epoch" in problem for problem in audit.problems)
        figures["turned down"] = figures.get("turned down", 0) + audit.turned_down
        expected = {name: digest for name, digest in bench.expected.items() if name.startswith("run/")}
        if digests(run) != expected:
            problems.append("the result differs from the undisturbed run's")
        figures["rounds"] += 1
        if not problems:
            shutil.rmtree(cluster.folder)
    if figures["sent away"] != figures["zombies"]:
        problems.append(f"{figures['zombies'] - figures['sent away']} zombies were not sent away")
    return figures, problems


def make_zombie(cluster, client, dice, figures):
    status = cluster.status()
    if not status or client.poll() is not None:
        return
    busy = [worker["name"] for worker in status["workers"] if worker.get("work")]
    mine = [worker for worker in cluster.workers if any(f":{worker.pid}-" in name for name in busy)]
    if not mine:
        return
    zombie = dice.choice(mine)
    zombie.send_signal(signal.SIGSTOP)
    held = leases_of(cluster, zombie)
    deadline = time.monotonic() + 30
    while held and client.poll() is None and time.monotonic() < deadline and not replaced(cluster, held):
        time.sleep(0.1)
    is_replaced = held and replaced(cluster, held)
    before = open(zombie.log, errors="replace").read().count("abandoned")
    zombie.send_signal(signal.SIGCONT)
    if not is_replaced:
        return
    figures["zombies"] += 1
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if open(zombie.log, errors="replace").read().count("abandoned") > before:
            figures["sent away"] += 1
            return
        time.sleep(0.05)


def query(cluster, sql, *values):
    database = sqlite3.connect(f"file:{cluster.folder}/state/state.sqlite?mode=ro", uri=True, timeout=30)
    try:
        return database.execute(sql, values).fetchall()
    finally:
        database.close()


def leases_of(cluster, worker):
    return query(
        cluster, "SELECT work, epoch FROM leases WHERE outcome IS NULL AND worker LIKE ?", f"%:{worker.pid}-%")


def replaced(cluster, leases):
    """Whether they have ended so that no word of their worker revives them: with a newer one, or beside another."""
    return all(
        query(
            cluster, "SELECT 1 FROM leases l JOIN works w ON w.id = l.work WHERE l.work = ? AND l.epoch = ? AND "
            "l.outcome IS NOT NULL AND (w.epoch > l.epoch OR l.outcome = 'revoked')", work, epoch)
        for work, epoch in leases)


def run_absence(bench, options, dice):
    """Iterations of a worker whose coordinator is there and then is not, beside those of one whose coordinator stays:
    so that whatever else the machine does is the same for both."""
    away, control = [Training(bench, name) for name in ("away", "control")]
    for training in (away, control):
        training.wait_for(5)
    problems, marks = [], []

    def mark():
        marks.append([training.iteration() for training in (away, control)])

    mark()
    time.sleep(options.absence)
    mark()
    cluster = away.cluster
    cluster.coordinator.kill()
    cluster.coordinator.wait()
    time.sleep(options.absence)
    cluster.coordinator = cluster.start_coordinator()
    back_at = time.monotonic()
    while not query(cluster, "SELECT 1 FROM workers WHERE connected = 1"):
        time.sleep(0.02)
        if time.monotonic() > back_at + 60:
            return {}, ["the worker did not come back"]
    returned_seconds = time.monotonic() - back_at
    # The next heartbeat says how far it is.
    time.sleep(2 * ABSENCE_LEASE_SECONDS / 6)
    mark()
    if query(cluster, "SELECT max(epoch) FROM works")[0][0] != 1:
        problems.append("a lease was lost")
    (before, control_before), (during, control_during) = [
        [last - first for first, last in zip(*pair)] for pair in zip(marks, marks[1:])]
    for training in (away, control):
        training.end()
    return {
        "absence, s": options.absence, "iterations before": before, "the other's": control_before,
        "iterations over the absence": during, "the other's then": control_during,
        "share of its pace": round(during / control_during * control_before / before, 3),
        "worker back after, s": round(returned_seconds, 2),
    }, problems


class Training:
    """An endless training of one worker."""

    def __init__(self, bench, name):
        self.cluster = bench.cluster(name, lease_seconds=ABSENCE_LEASE_SECONDS)
        self.cluster.start_worker()
        words = train_words(f"{self.cluster.folder}/run", 1_000_000)
        words += ["--coordinator", f"127.0.0.1:{self.cluster.port}", "--quiet"]
        self.client = self.cluster.spawn("client", *words, cwd=bench.folder)

    def iteration(self):
        """As the worker said with its last heartbeat."""
        while True:
            status = self.cluster.status()
            if status and status["runs"]:
                return max(replica["iteration"] for replica in status["runs"][0]["replicas"])
            time.sleep(0.1)

    def wait_for(self, iteration):
        while self.iteration() < iteration:
            time.sleep(0.2)

    def end(self):
        self.client.kill()
        self.client.wait()
        self.cluster.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kills", type=int, nargs="?", default=500)
    parser.add_argument("--zombies", type=int)
    parser.add_argument("--absence", type=float)
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--min-wait", type=float, default=1)
    parser.add_argument("--max-wait", type=float, default=5)
    parser.add_argument("--leave-seconds", type=float, default=10, help="how long a worker may take to leave")
    options = parser.parse_args()
    # A signal ends this script through `finally`, so that no child outlives it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    folder, bench, problems = tempfile.mkdtemp(prefix="quintet-chaos-"), None, ["it did not end"]
    start = time.monotonic()
    try:
        bench = Bench(folder, options.iterations)
        kind = run_zombies if options.zombies else run_absence if options.absence else run_storm
        figures, problems = kind(bench, options, random.Random(options.seed))
        figures["undisturbed, s"] = round(bench.calm_seconds, 1)
        figures["seconds"] = round(time.monotonic() - start, 1)
        figures["seed"] = options.seed
        for name, value in figures.items():
            print(f"{name.replace('_', ' '):32} {round(value, 2) if isinstance(value, float) else value}")
        for problem in problems:
            print(f"BROKEN: {problem}")
    finally:
        if bench:
            bench.end()
        if problems:
            print(f"what is left of it: {folder}")
        else:
            shutil.rmtree(folder)
    print("broken" if problems else "nothing lost, nothing double, the same bytes")
    sys.exit(1 if problems else 0)


main()
