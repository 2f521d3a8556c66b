"""A program of somebody else's, run beside us for a while."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

START_S = 30.0
STOP_S = 20.0


@contextmanager
def peer(command: list[str], is_ready: Callable[[], bool]) -> Iterator[int]:
    """Run a program for a block, from when it is ready on; give its process id."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, is_ready)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if is_ready():
                return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} did not start")
