"""The other reference: VictoriaMetrics, when Debian's package is installed.

It answers before the data is on disk: it writes what it holds in memory every few seconds.
"""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.bench.peer import peer
from tests.support.server import free_port

PROGRAM = "victoria-metrics"
PATH = "/write"


def version() -> str | None:
    """Return the version of the installed package, or None when there is none."""
    if shutil.which(PROGRAM) is None:
        return None
    asked = ["dpkg-query", "-W", "-f", "${Version}", PROGRAM]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return "installed"


@contextmanager
def running() -> Iterator[tuple[int, int]]:
    """Run an empty VictoriaMetrics; give its port and process id."""
    with tempfile.TemporaryDirectory(prefix="twinfeed-bench-victoria-") as directory:
        port = free_port()
        command = [
            PROGRAM,
            f"-storageDataPath={directory}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-loggerLevel=ERROR",
        ]
        health = f"http://127.0.0.1:{port}/health"
        with peer(command, lambda: httpx.get(health).status_code == 200) as pid:
            yield port, pid


def samples(port: int) -> int:
    """Return the values that it has taken by line protocol since it started."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    wanted = 'vm_rows_inserted_total{type="influx"}'
    return sum(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(wanted))
