"""A real Mosquitto on loopback, and Debian's mosquitto_pub."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from support.server import free_port

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
MOSQUITTO_PUB = shutil.which("mosquitto_pub")

needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None or MOSQUITTO_PUB is None,
    reason="needs Debian's packages mosquitto and mosquitto-clients",
)


class Mosquitto:
    """A broker that keeps its sessions over a restart."""

    def __init__(self, directory: Path, *more: str) -> None:
        """Write its configuration, with `more` lines for its listener."""
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.log = directory / "mosquitto.log"
        self._config = directory / "mosquitto.conf"
        lines = [
            "user root",
            "persistence true",
            f"persistence_location {directory}/",
            f"log_dest file {self.log}",
            "log_type all",
            "max_inflight_messages 100",
            "max_queued_messages 100000",
            f"listener {self.port} 127.0.0.1",
            *(more or ["allow_anonymous true"]),
        ]
        self._config.write_text("\n".join(lines) + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Mosquitto":
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def start(self) -> None:
        assert MOSQUITTO is not None
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(self._config)])
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, "mosquitto does not listen"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """SIGTERM: it saves its sessions."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def publish(
        self, topic: str, payload: str | bytes, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish one message and wait until the broker has it."""
        self._run(topic, qos, ["-s" if payload else "-n", *(["-r"] if retain else [])], payload)

    def publish_lines(self, topic: str, lines: list[str], *, qos: int = 1) -> None:
        """Publish a message a line, over one connection."""
        self._run(topic, qos, ["-l"], "\n".join(lines) + "\n")

    def _run(self, topic: str, qos: int, more: list[str], sent: str | bytes) -> None:
        command = [str(MOSQUITTO_PUB), "-h", "127.0.0.1", "-p", str(self.port)]
        command += ["-t", topic, "-q", str(qos), *more]
        body = sent.encode() if isinstance(sent, str) else sent
        subprocess.run(command, input=body, check=True, timeout=30)
