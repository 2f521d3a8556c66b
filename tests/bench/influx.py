"""The reference for single readings: InfluxDB 1.x, when Debian's package is installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.bench.peer import peer
from tests.support.server import free_port

CONFIG = """reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{directory}/meta"
[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  wal-fsync-delay = "0s"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""
"""The package's defaults (durable: an fsync before the answer), without what only costs time."""
PATH = "/write?db=bench"


def version() -> str | None:
    """Return the version of the installed server, or None when there is none."""
    program = shutil.which("influxd")
    if program is None:
        return None
    shown = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    return shown.split()[1]


@contextmanager
def running() -> Iterator[tuple[int, int]]:
    """Run an InfluxDB with an empty database `bench`; give its port and process id."""
    with tempfile.TemporaryDirectory(prefix="twinfeed-bench-influx-") as directory:
        port = free_port()
        config = Path(directory) / "influxdb.conf"
        config.write_text(CONFIG.format(rpc_port=free_port(), port=port, directory=directory))
        with peer(["influxd", "run", "-config", str(config)], lambda: _makes_database(port)) as pid:
            yield port, pid


def _makes_database(port: int) -> bool:
    made = httpx.post(f"http://127.0.0.1:{port}/query", params={"q": "CREATE DATABASE bench"})
    return made.status_code == 200
