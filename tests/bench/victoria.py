"""The other reference: VictoriaMetrics, when Debian's package is installed.

It answers before the data is on disk: it writes what it holds in memory every few seconds.
"""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.support.server import free_port

PROGRAM = "victoria-metrics"
PATH = "/write"
START_S = 30.0


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
        process = subprocess.Popen(
            [
                PROGRAM,
                f"-storageDataPath={directory}",
                f"-httpListenAddr=127.0.0.1:{port}",
                "-loggerLevel=ERROR",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(process, port)
            yield port, process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def samples(port: int) -> int:
    """Return the values that it has taken by line protocol since it started."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    wanted = 'vm_rows_inserted_total{type="influx"}'
    return sum(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(wanted))


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("VictoriaMetrics did not start")
