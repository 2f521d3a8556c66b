"""Devices that send without pause, and remember what was acknowledged."""

import random
import threading
import time
from typing import Any

import httpx

BASE_MS = 1_700_000_000_000
BATCH = 25
PAUSE_S = 0.02
"""After a failure: a server that is away must not be hammered."""


class Sender(threading.Thread):
    """One device: batches and singles in turn; what failed is sent again or left, at random.

    Reading i of a device is at BASE_MS + i and says i.
    """

    def __init__(self, device: str, url: str, key: str, seed: int = 0) -> None:
        super().__init__(name=device, daemon=True)
        self.device = device
        self.acknowledged: set[int] = set()
        self.sent = 0
        self.statuses: dict[int, int] = {}
        self.broken = 0
        self.unexpected: list[str] = []
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._random = random.Random(f"{device} {seed}")
        self._stopped = threading.Event()

    def run(self) -> None:
        with httpx.Client(headers=self._headers, timeout=15) as client:
            while not self._stopped.is_set():
                size = self._random.choice((1, 1, BATCH))
                numbers = range(self.sent, self.sent + size)
                self.sent += size
                while not self._send(client, numbers) and self._random.random() < 0.7:
                    if self._stopped.wait(PAUSE_S):
                        return

    def stop(self) -> None:
        self._stopped.set()
        self.join(30)
        assert not self.is_alive()

    def _send(self, client: httpx.Client, numbers: range) -> bool:
        readings = [{"ts": BASE_MS + i, "device": self.device, "n": i} for i in numbers]
        body: Any = readings if len(readings) > 1 else readings[0]
        try:
            answer = client.post(self._url, json=body)
        except httpx.TransportError:
            self.broken += 1
            return False
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        if answer.status_code == 200:
            self.acknowledged.update(numbers)
            return True
        seconds = answer.headers.get("retry-after", "")
        if answer.status_code != 503 or not seconds.isdigit():
            self.unexpected.append(f"{answer.status_code} {answer.text[:200]}")
        return False


def wait_until(what: Any, timeout_s: float = 20.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.02)


def wait_for_progress(senders: list[Sender], timeout_s: float = 20.0) -> None:
    """Wait until every sender had something acknowledged after this call."""
    before = [len(s.acknowledged) for s in senders]
    wait_until(
        lambda: all(len(s.acknowledged) > n for s, n in zip(senders, before, strict=True)),
        timeout_s,
    )
