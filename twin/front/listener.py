"""The front's listening socket, its connections, and what they share.

Heads of requests are kept as they came: a client on a kept connection sends the same again and again.
"""

import asyncio
import os
import resource
import socket
import time
from collections.abc import Coroutine, Sequence
from email.utils import formatdate
from http import HTTPStatus

import structlog

from twin.front.connection import MAX_BODY_BYTES, Connection, PlainRoute
from twin.front.door import FrontPlan
from twin.front.head import Head, parse_head
from twin.held import Held

MAX_HEADS = 4096
"""Heads kept; past it the cache starts anew. They hold keys, as the requests do, for as long."""
TICK_S = 1.0
ACCEPTED_AT_ONCE = 64
"""Connections taken in a turn of the event loop: requests have theirs in between."""
FILES_EACH, OTHER_FILES = 3, 256
"""Descriptors of a connection with its way to the server behind, and those of all else in a worker."""
FULL_IDLE_S = 1.0
"""When there is no room for more connections, those that do nothing make room."""
IDLE_S = 75.0
"""Longer than the minute that many devices pause between readings on a kept connection."""
LINGER_S = 5.0
DROP_S = 30.0
"""A client that goes on sending after its last answer is read from, to no end, for so long; or until it
sends nothing for LINGER_S."""
PARTIAL_S = 10.0
"""A request that is not whole after so long is left to the server behind, which has its own bounds."""
KEPT_BYTES, MAX_ANSWERS = 128, 256
"""Equal answers are many: `{"accepted":1,…}`."""
_WITHOUT_BODY = (204, 304)
log = structlog.get_logger("twin.front")
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Front:
    """Accepts connections in a worker."""

    def __init__(
        self, plan: FrontPlan, routes: Sequence[PlainRoute], held: Held, max_connections: int
    ) -> None:
        """Prepare; `open` listens. `held` counts what connections hold."""
        self._plan = plan
        self._routes = routes
        self._heads: dict[bytes, tuple[Head, PlainRoute] | None] = {}
        self._answers: dict[object, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: socket.socket | None = None
        self._max_connections = max_connections
        self._arriving = 0
        self._is_full = False
        self.held = held
        self._ticks: asyncio.TimerHandle | None = None
        self.behind_path = plan.behind_path
        self.connections: set[Connection] = set()
        self.now_s = 0.0
        """The loop's time, as of the last tick."""
        self.address: tuple[str, int] | None = None
        """Where it listens."""
        self.name = ""
        """The same as ``host:port``."""
        self.date = b""
        """The Date header of answers, to the second."""

    async def open(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self.tick()
        self._listening = socket.socket(fileno=os.dup(self._plan.listen_fd))
        self._listening.setblocking(False)
        host, port = self.address = self._listening.getsockname()[:2]
        self.name = f"{host}:{port}"
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        fitting = max((files - OTHER_FILES) // FILES_EACH, 1)
        self._max_connections = min(self._max_connections, fitting)
        loop.add_reader(self._listening, self._accept)
        loop.add_reader(self._plan.stop_fd, self.stop)

    def stop(self) -> None:
        """Accept no more and let every connection end."""
        if self._listening is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._plan.stop_fd)
        loop.remove_reader(self._listening)
        self._listening.close()
        self._listening = None
        for connection in tuple(self.connections):
            connection.end()

    async def close(self) -> None:
        """Return when every request has its answer; call it when the server behind has ended.

        Clients who take nothing are cut off after a while.
        """
        self.stop()
        deadline = time.monotonic() + LINGER_S
        while self.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        for connection in tuple(self.connections):
            connection.transport.abort()
        self.untick()

    @property
    def is_stopped(self) -> bool:
        """Whether no more connections are taken."""
        return self._listening is None

    def forget(self, connection: Connection) -> None:
        """A connection has ended: there is room for another."""
        self.connections.discard(connection)
        if self._is_full:
            self._accept_again()

    def _accept(self) -> None:
        """Take connections that wait; past the bound they wait on, in the kernel's queue."""
        if self._listening is None:
            return
        for _ in range(ACCEPTED_AT_ONCE):
            if len(self.connections) + self._arriving >= self._max_connections:
                self._be_full()
                return
            try:
                client = self._listening.accept()[0]
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor or memory is left
                log.exception("connections cannot be accepted")
                self._be_full()
                return
            client.setblocking(False)
            self._arriving += 1
            self.keep(self._begin(client))

    async def _begin(self, client: socket.socket) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(lambda: Connection(self), client)
        except OSError:
            client.close()
        finally:
            self._arriving -= 1

    def _be_full(self) -> None:
        if self._listening is not None and not self._is_full:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._is_full = True

    def _accept_again(self) -> None:
        self._is_full = False
        if self._listening is not None:
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def untick(self) -> None:
        """Look no more."""
        if self._ticks is not None:
            self._ticks.cancel()

    def head(self, raw: bytes) -> tuple[Head, PlainRoute] | None:
        """Return the head of a request that one of the routes takes and that is plain, else None."""
        try:
            return self._heads[raw]
        except KeyError:
            pass
        found = None
        head = parse_head(raw)
        if head is not None and head.length <= MAX_BODY_BYTES:
            for route in self._routes:
                if route.takes(head.method, head.path):
                    found = head, route
                    break
        if found is not None:
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            self._heads[raw] = found
        return found

    def render(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
        """Return an answer as bytes. Short ones with a tuple of headers are kept for a second."""
        key = (
            (status, headers, body) if type(headers) is tuple and len(body) <= KEPT_BYTES else None
        )
        if key is not None and (kept := self._answers.get(key)) is not None:
            return kept
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if status not in _WITHOUT_BODY and not (body == b"" and _tells_length(headers)):
            lines.append(f"content-length: {len(body)}")
        made = "\r\n".join([*lines, ""]).encode("latin-1") + self.date + b"\r\n" + body
        if key is not None and len(self._answers) < MAX_ANSWERS:
            self._answers[key] = made
        return made

    def keep(self, work: Coroutine[None, None, None]) -> None:
        """Run something until it is done."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tick(self) -> None:
        """See to what waits too long, and again in a second."""
        loop = asyncio.get_running_loop()
        self.now_s = loop.time()
        self._answers.clear()
        self.date = f"date: {formatdate(time.time(), usegmt=True)}\r\n".encode()
        idle_s = FULL_IDLE_S if self._is_full else IDLE_S
        for connection in tuple(self.connections):
            waited_s = self.now_s - connection.seen_s
            if connection.left_s is not None:
                if waited_s > LINGER_S or self.now_s - connection.left_s > DROP_S:
                    connection.transport.abort()
            elif connection.is_partial and waited_s > PARTIAL_S:
                connection.hand_on()
            elif connection.is_idle and waited_s > IDLE_S + LINGER_S:
                connection.transport.abort()  # it does not take its last answer
            elif connection.is_idle and waited_s > idle_s:
                connection.end()
        if self._is_full:
            self._accept_again()
        self._ticks = loop.call_later(TICK_S, self.tick)


def _tells_length(headers: Sequence[tuple[str, str]]) -> bool:
    """Return whether an answer to HEAD says how long the body would be."""
    return any(name.lower() == "content-length" for name, _ in headers)
