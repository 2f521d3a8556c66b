"""A real Alertmanager on loopback, and amtool to ask it."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from support.server import free_port

PROGRAMS = ("prometheus-alertmanager", "amtool")


class Alertmanager:
    """A running Alertmanager."""

    def __init__(self, url: str) -> None:
        self.url = url

    def amtool(self, *words: str) -> str:
        """Run amtool against it and return what it says."""
        command = ["amtool", f"--alertmanager.url={self.url}", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def alerts(self, *matchers: str) -> list[dict[str, Any]]:
        """Return the alerts that amtool finds, silenced ones included."""
        found = self.amtool("-o", "json", "alert", "query", "-a", "-s", "-i", *matchers)
        return list(json.loads(found))


@contextmanager
def run_alertmanager(directory: Path, webhook: str) -> Iterator[Alertmanager]:
    """Run one that groups by name and tells a webhook within a second."""
    config = {
        "route": {
            "receiver": "desk",
            "group_by": ["alertname"],
            "group_wait": "1s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "desk", "webhook_configs": [{"url": webhook}]}],
    }
    file = directory / "alertmanager.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    command = ["prometheus-alertmanager", f"--config.file={file}"]
    command += [f"--storage.path={directory / 'data'}", "--cluster.listen-address="]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        one = Alertmanager(f"http://127.0.0.1:{port}")
        _wait_until_ready(one, process, directory / "log")
        yield one
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_ready(one: Alertmanager, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{one.url}/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"Alertmanager did not start:\n{log.read_text()[-2000:]}")
