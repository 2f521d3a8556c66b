"""What processes used: CPU seconds and peak memory, from the kernel's books."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass
class Used:
    """CPU seconds of a phase and the peak resident memory of its largest process."""

    cpu_s: float
    peak_mib: float


class Meter:
    """Measures a process and all below it, but not below `without` (another meter's)."""

    def __init__(self, pid: int, without: int | None = None) -> None:
        self._pid = pid
        self._without = without
        self._cpu_s = 0.0

    def begin(self) -> None:
        """Begin a phase."""
        for process in self._processes():
            with contextlib.suppress(OSError):  # resets the peak (proc(5), clear_refs)
                Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        self._cpu_s = self._total_cpu_s()

    def end(self) -> Used:
        """End a phase."""
        return Used(self._total_cpu_s() - self._cpu_s, max(map(_peak_mib, self._processes())))

    def resident_mib(self) -> float:
        """Return the resident memory of all processes now."""
        return sum(process.memory_info().rss for process in self._processes()) / 1024 / 1024

    def _processes(self) -> list[psutil.Process]:
        found, todo = [], [psutil.Process(self._pid)]
        while todo:
            process = todo.pop()
            with contextlib.suppress(psutil.NoSuchProcess):
                todo += [c for c in process.children() if c.pid != self._without]
                found.append(process)
        return found

    def _total_cpu_s(self) -> float:
        """Ended children count through the process that waited for them."""
        total = 0.0
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
                total += times.children_user + times.children_system
        return total


def _peak_mib(process: psutil.Process) -> float:
    try:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0
