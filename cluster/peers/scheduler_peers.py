"""How many tasks that do nothing Dask (distributed) and Ray hand out a second, on one machine.

    python3 -m venv venv && venv/bin/pip install distributed ray
    venv/bin/python cluster/peers/scheduler_peers.py --tasks 100000 --workers 2,100,1000 > peers.jsonl

One JSON object a line on stdout for every system and number of workers, a table of medians on stderr. Every run has a
new client, scheduler and workers, connected before the clock starts: from the first submission until the client holds
every result (None). Memory is resident: before the first task, at its highest (VmHWM), 5 s after the results went.

    Dask  W workers of a thread each, over TCP, in one process a core, apart from the scheduler's. What burdens only
          such shared processes (profiler, monitors, garbage collections through all of it) is off, the rest stock.
    Ray   W logical CPUs and a process for each, W ("asked") cut to what three quarters of the free memory hold.
          gcs_server and raylet schedule, but the driver ("client") keeps the tasks' state and feeds the workers.

Fairness: Dask and Ray keep all state in memory and lose it with the scheduler or the driver; Quintet commits every
lease and every result to SQLite, so its figures pay for a disk. Dask and Ray get all tasks at once.
"""
import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import pathlib
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module, metadata, util
from statistics import median

MODULES = {"dask": "distributed", "ray": "ray"}
CORES = len(os.sched_getaffinity(0))
SPAWN = multiprocessing.get_context("spawn")
MEMORY = ["memoryBytesBefore", "peakMemoryBytes", "memoryBytesAfter"]
RAY_WORKERS = ("ray::IDLE", "ray::hold", "ray::noop")  # names of their processes
RAY_WORKER_BYTES = 60 * 2 ** 20  # of one more worker process, without what it shares


def noop(number):
    return None


def bytes_of(path, key):
    with open(path) as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def memory(processes, key):
    return {name: bytes_of(f"/proc/{pid}/status", key) for name, pid in processes.items()}


def timed(tasks, processes, submit_and_gather):
    before, start = memory(processes, "VmRSS"), time.perf_counter()
    done = submit_and_gather().count(None)
    seconds = time.perf_counter() - start
    assert done == tasks, "not every task has its result"
    time.sleep(5)
    return {"seconds": seconds, **dict(zip(MEMORY, [before, memory(processes, "VmHWM"), memory(processes, "VmRSS")]))}


def dask_scheduler(pipe):
    from distributed import Scheduler

    async def serve():
        async with Scheduler(host="127.0.0.1", port=0, dashboard_address=":0") as scheduler:
            pipe.send(scheduler.address)
            await scheduler.finished()
    asyncio.run(serve())


def dask_workers(address, count):
    import dask
    from distributed import Worker
    dask.config.set({"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1h",
                     "distributed.admin.system-monitor.interval": "1h"})

    async def serve():
        # No limit: each would take the memory of all workers in the process for its own, and pause.
        settings = {"nthreads": 1, "memory_limit": 0, "dashboard": False}
        workers = await asyncio.gather(*(Worker(address, **settings) for _ in range(count)))
        gc.freeze()  # else every collection goes through all that all workers hold
        await asyncio.gather(*(worker.finished() for worker in workers))
    asyncio.run(serve())


def run_dask(tasks, asked, folder):
    from distributed import Client
    os.environ["DASK_TEMPORARY_DIRECTORY"] = folder
    receiver, sender = SPAWN.Pipe(duplex=False)
    scheduler = SPAWN.Process(target=dask_scheduler, args=(sender,), daemon=True)
    scheduler.start()
    address, hosts = receiver.recv(), min(CORES, asked)
    for host in range(hosts):
        share = len(range(host, asked, hosts))
        SPAWN.Process(target=dask_workers, args=(address, share), daemon=True).start()
    with Client(address) as client:
        client.wait_for_workers(asked, timeout=600)

        def submit_and_gather():
            futures = client.map(noop, range(tasks), pure=False)
            assert len({future.key for future in futures}) == tasks, "tasks share keys"
            return client.gather(futures)
        report = timed(tasks, {"scheduler": scheduler.pid, "client": os.getpid()}, submit_and_gather)
        return {**report, "workers": len(client.scheduler_info(n_workers=-1)["workers"]), "workerProcesses": hosts}


def children(parent, *names):
    """Name and pid of those whose name begins so."""
    import psutil  # which Ray brings along
    every = [(process.info, process.pid) for process in psutil.process_iter(["ppid", "name"])]
    return [(info["name"], pid) for info, pid in every if info["ppid"] == parent and info["name"].startswith(names)]


def hold(release):
    while not release.exists():
        time.sleep(0.5)


def start_ray_workers(ray, raylet, wanted, release):
    """Ray starts a worker when a task waits for one: so many tasks keep theirs until all are there."""
    task, deadline = ray.remote(num_cpus=1)(hold), time.monotonic() + 60 + 3 * wanted
    held = [task.remote(release) for _ in range(wanted)]
    while len(children(raylet, *RAY_WORKERS)) < wanted and time.monotonic() < deadline:
        time.sleep(1)
    release.touch()
    ray.get(held)


def run_ray(tasks, asked, folder):
    import ray
    wanted = max(1, min(asked, bytes_of("/proc/meminfo", "MemAvailable") * 3 // 4 // RAY_WORKER_BYTES))
    ray.init(num_cpus=wanted, include_dashboard=False, logging_level="error", log_to_driver=False, _temp_dir=folder)
    processes = dict(children(os.getpid(), "gcs_server", "raylet"))
    start_ray_workers(ray, processes["raylet"], wanted, pathlib.Path(folder, "release"))
    task = ray.remote(num_cpus=1)(noop)
    processes["client"] = os.getpid()
    report = timed(tasks, processes, lambda: ray.get([task.remote(number) for number in range(tasks)]))
    count = len(children(processes["raylet"], *RAY_WORKERS))
    ray.shutdown()
    return {**report, "workers": count, "workerProcesses": count}


def measure(system, tasks, asked, runs):
    """Every run in a process of its own, whose stdout is stderr: Ray prints warnings."""
    work, reports = {"dask": run_dask, "ray": run_ray}[system], []
    for _ in range(runs):
        with (tempfile.TemporaryDirectory(prefix="peers", ignore_cleanup_errors=True) as folder,
              ProcessPoolExecutor(1, SPAWN, initializer=os.dup2, initargs=(2, 1)) as pool):
            reports.append(pool.submit(work, tasks, asked, folder).result())
    columns = {key: [report[key] for report in reports] for key in reports[0]}
    return {"system": system, "version": metadata.version(MODULES[system]), "cores": CORES, "tasks": tasks,
            "asked": asked, "workers": min(columns["workers"]), "workerProcesses": min(columns["workerProcesses"]),
            "seconds": columns["seconds"], "tasksPerSecond": tasks / median(columns["seconds"]),
            **{key: {name: median(part[name] for part in columns[key]) for name in columns[key][0]} for key in MEMORY}}


def row(report):
    sizes = [", ".join(f"{name} {size / 2 ** 20:.0f}" for name, size in report[key].items()) for key in MEMORY]
    return [report["system"], report["asked"], report["workers"], report["workerProcesses"],
            f"{median(report['seconds']):.2f}", f"{report['tasksPerSecond']:.0f}", *sizes]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--workers", default=f"{CORES},1000", help="numbers of workers, with commas between")
    parser.add_argument("--only", choices=list(MODULES))
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    arguments.systems = [arguments.only] if arguments.only else list(MODULES)
    missing = [MODULES[system] for system in arguments.systems if not util.find_spec(MODULES[system])]
    if missing:
        sys.exit(f"scheduler_peers: {sys.executable} lacks modules; in a venv: pip install {' '.join(missing)}")
    return arguments


def main():
    arguments = parse()
    os.environ.update(DASK_LOGGING__DISTRIBUTED="error", RAY_USAGE_STATS_ENABLED="0")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand workers need more than the usual 1,024
    head = ["system", "asked", "workers", "processes", "s", "tasks/s", "MiB before", "MiB at the peak", "MiB after"]
    rows, failed = [head, ["---"] * len(head)], False
    for system, asked in [(one, int(number)) for one in arguments.systems for number in arguments.workers.split(",")]:
        try:
            report = measure(system, arguments.tasks, asked, arguments.runs)
            rows.append(row(report))
        except Exception as failure:
            failed, report = True, {"system": system, "asked": asked, "error": repr(failure)}
        print(json.dumps(report), flush=True)
    print(*("| " + " | ".join(map(str, cells)) + " |" for cells in rows), sep="\n", file=sys.stderr)
    sys.exit(failed)


if __name__ == "__main__":
    # By the module's name: Dask sends a function of __main__ whole with every task, Ray's workers do not find it.
    import_module(pathlib.Path(__file__).stem).main()
