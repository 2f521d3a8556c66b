"""CPU, memory, disk and network figures of the machine it runs on."""

import time
from typing import Any

import msgspec
import psutil


class Counters(msgspec.Struct, frozen=True):
    """Bytes since the machine's start, and when they were read (monotonic seconds)."""

    at_s: float
    disk_read: int
    disk_written: int
    received: int
    sent: int


class Machine:
    """Reads figures; rates are over the time since the reading before."""

    def __init__(self) -> None:
        """Read the counters that the first rates start from."""
        psutil.cpu_percent()  # the first call has nothing to compare with
        self._before = _counters()

    def reading(self) -> dict[str, Any]:
        """Return a flat reading with nested groups."""
        before, self._before = self._before, _counters()
        memory, disk = psutil.virtual_memory(), psutil.disk_usage("/")
        rates = rates_kib_s(before, self._before)
        return {
            "cpu": {"percent": psutil.cpu_percent(), "load": round(psutil.getloadavg()[0], 2)},
            "memory": {"percent": memory.percent, "used_mib": round(memory.used / 2**20, 1)},
            "disk": {"percent": disk.percent, **rates["disk"]},
            "network": rates["network"],
        }


def rates_kib_s(before: Counters, after: Counters) -> dict[str, dict[str, float]]:
    """Return KiB per second between two readings; a counter that was reset gives 0."""
    seconds = max(after.at_s - before.at_s, 0.001)

    def rate(old: int, new: int) -> float:
        return round(max(new - old, 0) / 1024 / seconds, 2)

    return {
        "disk": {
            "read": rate(before.disk_read, after.disk_read),
            "written": rate(before.disk_written, after.disk_written),
        },
        "network": {
            "received": rate(before.received, after.received),
            "sent": rate(before.sent, after.sent),
        },
    }


def _counters() -> Counters:
    # Both are None where the system tells nothing, as in some containers.
    disk, network = psutil.disk_io_counters(), psutil.net_io_counters()
    return Counters(
        time.monotonic(),
        disk.read_bytes if disk else 0,
        disk.write_bytes if disk else 0,
        network.bytes_recv if network else 0,
        network.bytes_sent if network else 0,
    )
