"""What else ran during a measurement, and the memory of this process."""
import os
import resource
import time


def _busy_seconds():
    """Of all processes and of the hypervisor; neither idle nor waiting for disks."""
    with open("/proc/stat", encoding="ascii") as f:
        ticks = [int(value) for value in f.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


class ForeignCpuMeter:
    """From its making to stop(): the time that passed, and the cores that other processes kept busy meanwhile."""

    def __init__(self):
        self.start, self.busy, self.own = time.perf_counter(), _busy_seconds(), time.process_time()

    def stop(self):
        """(seconds, cores)."""
        wall = max(time.perf_counter() - self.start, 1e-9)
        own = time.process_time() - self.own
        return wall, max(0.0, (_busy_seconds() - self.busy - own) / wall)


def load_average():
    return os.getloadavg()[0]


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(": ", 1)[1].strip()
    return "unknown"


def resident_mb():
    with open("/proc/self/status", encoding="ascii") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmRSS"))


def peak_resident_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
