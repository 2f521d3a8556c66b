"""What the figures depend on: the machine and the versions."""

import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psutil

from tests.bench.home import Home

FSYNCS = 200


def machine() -> dict[str, str]:
    """Return the machine's facts by name."""
    return {
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores (generator included)",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "fdatasync of 8 kB": f"{_fsync_ms():.2f} ms (median)",
        "Python": platform.python_version(),
        **{name: version(name) for name in ("twinfeed", "granian", "litestar", "psycopg", "numpy")},
    }


def database(home: Home) -> str:
    """Return what the database is, and how durable a commit is."""
    settings = ("fsync", "synchronous_commit")
    durable = ", ".join(f"{name} {home.rows('SHOW ' + name)[0][0]}" for name in settings)
    shown = f"{home.rows('SHOW server_version')[0][0]} ({durable})"
    extension = home.rows("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    if not extension:
        return f"PostgreSQL {shown}"
    licence = home.rows("SHOW timescaledb.license")[0][0]
    edition = "community" if licence == "timescale" else "Apache"
    return f"PostgreSQL {shown}, TimescaleDB {extension[0][0]} ({edition} edition)"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _fsync_ms() -> float:
    """Return the time of a small durable write in the temporary directory."""
    took = []
    with tempfile.TemporaryFile() as file:
        for _ in range(FSYNCS):
            file.write(bytes(8192))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000
