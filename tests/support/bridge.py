"""A running `twinfeed mqtt`, and what it logs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.exposition import eventually
from support.server import Datasource

WITHIN_S = 60.0
"""It is a process to start: seconds on a busy machine."""


class Bridge:
    """The process; its log is one JSON object a line."""

    def __init__(self, log: Path, datasource: Datasource, broker: str, *more: str) -> None:
        """Start it."""
        options = list(more)
        if "--url" not in options:
            options += ["--url", datasource.server.url]
        env = {k: v for k, v in os.environ.items() if not k.startswith("TWINFEED_")}
        env |= {"TWINFEED_KEY": datasource.key, "TWINFEED_MQTT_BROKER": broker}
        self._log = log
        self._skipped = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "twin", "mqtt", "--datasource", datasource.id, *options],
                env=env,
                stderr=output,
                stdout=output,
            )

    def __enter__(self) -> "Bridge":
        return self

    def __exit__(self, kind: object, *_exc: object) -> None:
        if self.process.poll() is None:
            code = self.stop()
            assert code == 0 or kind is not None, self.text()

    def text(self) -> str:
        """All that this process wrote."""
        return self._log.read_bytes()[self._skipped :].decode()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        whole = self.text().rpartition("\n")[0].splitlines()
        return [line for line in map(json.loads, whole) if line["event"] == name]

    def wait_for(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until an event was logged so often."""
        eventually(
            lambda: self.process.poll() is not None or len(self.events(name)) >= count,
            within_s=WITHIN_S,
        )
        found = self.events(name)
        assert len(found) >= count, self.text()
        return found

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(20)
