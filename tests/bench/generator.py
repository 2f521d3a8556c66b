"""The load generator: keep-alive HTTP/1.1 connections, each with one request on its way.

It runs in a process of its own (`process.py`) and only writes prepared bytes and finds the ends of
answers, so that as little as possible of the machine goes to it.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import uvloop

from twin.batch import Floats

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


@dataclass
class Load:
    """What to send. `make(**arguments)` gives the requests; `endless`: again and again, in turn."""

    port: int
    connections: int
    limit_s: float
    make: Callable[..., Iterable[bytes]]
    arguments: dict[str, Any] = field(default_factory=dict)
    endless: bool = False


@dataclass
class Outcome:
    """What came of a load."""

    seconds: float
    cpu_s: float
    statuses: Counter[int]
    latencies_s: Floats

    def only(self, *statuses: int) -> "Outcome":
        """Return self if no other status was answered, else raise AssertionError."""
        assert set(self.statuses) <= set(statuses), f"answers: {dict(self.statuses)}"
        return self

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latencies_s) / self.seconds

    def latency_ms(self, percent: float) -> float:
        """Return a percentile of the time from sending a request to the end of its answer."""
        return float(np.percentile(self.latencies_s, percent)) * 1000


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return a request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def requests(path: str, headers: dict[str, str], bodies: Iterable[bytes]) -> list[bytes]:
    """Return POST requests with these bodies."""
    return [request("POST", path, headers, body) for body in bodies]


def prepare(load: Load) -> Callable[[], Outcome]:
    """Make the requests; return what sends them."""
    made = list(load.make(**load.arguments))
    source = itertools.cycle(made) if load.endless else iter(made)
    return lambda: uvloop.run(_Run(load, source).play())


class _Run:
    """Shared by the connections of a load."""

    def __init__(self, load: Load, source: Iterator[bytes]) -> None:
        self._load = load
        self._source = source
        self.statuses: Counter[int] = Counter()
        self.latencies_s: list[float] = []
        self._deadline = 0.0

    async def play(self) -> Outcome:
        loop = asyncio.get_running_loop()
        opened = [
            (await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._load.port))[
                1
            ]
            for _ in range(self._load.connections)
        ]
        cpu_before, began = time.process_time(), time.perf_counter()
        self._deadline = began + self._load.limit_s
        for connection in opened:
            connection.send_next()
        async with asyncio.timeout(self._load.limit_s + 60):
            await asyncio.gather(*(c.finished for c in opened))
        seconds = time.perf_counter() - began
        cpu_s = time.process_time() - cpu_before
        for connection in opened:
            connection.transport.close()
        return Outcome(seconds, cpu_s, self.statuses, np.array(self.latencies_s))

    def next(self) -> bytes | None:
        if time.perf_counter() >= self._deadline:
            return None
        return next(self._source, None)


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._answer = b""
        self._sent_s = 0.0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(ConnectionError("the server closed the connection"))

    def send_next(self) -> None:
        data = self._run.next()
        if data is None:
            self.finished.set_result(None)
            return
        self._sent_s = time.perf_counter()
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._answer = self._answer + data if self._answer else data
        size = answer_size(self._answer)
        if size is None or len(self._answer) < size:
            return
        self._run.latencies_s.append(time.perf_counter() - self._sent_s)
        self._run.statuses[int(self._answer[9:12])] += 1
        self._answer = b""
        self.send_next()


def answer_size(answer: bytes) -> int | None:
    """Return the bytes of an answer, head included; None while the head is incomplete."""
    end = answer.find(HEAD_END)
    if end < 0:
        return None
    head = answer[:end].lower()
    at = head.find(LENGTH)
    if at < 0:
        assert head[9:12] in (b"204", b"304"), f"an answer without a length: {head!r}"
        return end + len(HEAD_END)
    length = 0 if head[9:12] == b"304" else int(head[at + len(LENGTH) :].split(b"\r", 1)[0])
    return end + len(HEAD_END) + length
