"""A webhook receiver on loopback that behaves as badly as it is told to."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

HANG = "hang"
CLOSE_EARLY = "close early"
DRIP = "drip"


class Received:
    """One request as it came in."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body
        self.at_s = time.perf_counter()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Answers each request with its next answer: a status, (status, headers), or a fault."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers
        self.received: list[Received] = []
        self.connections = 0
        self.open_calls = 0
        self.most_open_calls = 0
        self.arrived = asyncio.Event()
        self.hang_up = asyncio.Event()
        """Ends every call that hangs, and those that come."""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def wait(self, count: int) -> list[Received]:
        """Return what was received once that is `count` requests."""
        async with asyncio.timeout(30):
            while len(self.received) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while request := await _read(reader):
                self.received.append(request)
                self.arrived.set()
                self.open_calls += 1
                self.most_open_calls = max(self.most_open_calls, self.open_calls)
                try:
                    if not await self._answer(writer, self.answers.pop(0) if self.answers else 200):
                        return
                finally:
                    self.open_calls -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, answer: Any) -> bool:
        if answer == CLOSE_EARLY:
            return False
        if answer == HANG:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(30):
                    await self.hang_up.wait()
            return False
        if answer == DRIP:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(1000):
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.1)
            return False
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        if "after_s" in headers:
            await asyncio.sleep(headers["after_s"])
        lines = [f"HTTP/1.1 {status} X", "Content-Length: 2"]
        lines += [f"{name}: {value}" for name, value in headers.items() if name != "after_s"]
        writer.write("\r\n".join([*lines, "", "ok"]).encode())
        await writer.drain()
        return True


async def _read(reader: asyncio.StreamReader) -> Received | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    size = int(next(v for k, v in headers.items() if k.lower() == "content-length"))
    return Received(first.split()[1], headers, await reader.readexactly(size))


@asynccontextmanager
async def receiver(*answers: Any) -> AsyncIterator[Receiver]:
    """Run a receiver; after the given answers every request gets 200."""
    one = Receiver(list(answers))
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await one.serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
