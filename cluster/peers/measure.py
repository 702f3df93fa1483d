"""What the PyTorch peers measure: time and memory."""
import time


def peak_memory_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def seconds(step, samples):
    """One repetition more than asked for warms up and does not count."""
    times = []
    for _ in range(samples + 1):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times[1:]
