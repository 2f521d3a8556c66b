"""One connection to the front: plain requests one after the other, or a pipe to the server behind.

Invariants: answers leave in the order of the requests; a request is answered here or handed on whole,
never both; what is held is at most MAX_HELD_BYTES and what one read adds, and counted with what all
other connections hold: past the bound over all of them, no part of a request waits here.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec
import structlog

from twin.front.head import Head
from twin.held import Share
from twin.rsgi import HotRoute

if TYPE_CHECKING:
    from twin.front.listener import Front

MAX_HEAD_BYTES = 8192
MAX_BODY_BYTES = 2**20
"""Larger bodies come piece by piece from the server behind, so that no more of them is in memory."""
MAX_HELD_BYTES = MAX_HEAD_BYTES + MAX_BODY_BYTES
CONNECT_ATTEMPTS, CONNECT_PAUSE_S = 200, 0.05
"""The server behind bounds its connections: for a place there a client waits ten seconds."""
UNREAD_BYTES = 65_536
_HEAD_END = b"\r\n\r\n"
_BEGINNINGS = (b"POST /", b"GET /", b"HEAD /", b"PUT /", b"PATCH /", b"DELETE /")
_BEGINNING_BYTES = max(map(len, _BEGINNINGS))

log = structlog.get_logger("twin.front")


class Reply(Protocol):
    """Where the answer to one request goes."""

    def respond(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Send a whole answer; a client that is gone gets none."""


class PlainRoute(HotRoute, Protocol):
    """A hot route that the front may answer."""

    def quick(self, head: Head, body: bytes, reply: Reply) -> bool:
        """Take a request whose answer comes by `reply`, once, and never before this returns.

        False: not taken, `respond` will.
        """


class Connection(asyncio.Protocol):
    """The client's side."""

    transport: asyncio.Transport

    def __init__(self, front: "Front") -> None:
        """Belong to a front."""
        self._front = front
        self._share = Share(front.held)
        self._held: bytes | bytearray = b""
        self._needed = 0
        """Bytes that the request at the beginning of what is held has, once that is known."""
        self.is_clogged = False
        self._ends = False
        """Close after the answer: the server wants no more requests."""
        self._is_ended = False
        """The client sends no more."""
        self._is_lost = False
        self._task: asyncio.Task[None] | None = None
        self.left_s: float | None = None
        """When the server behind ended its side: since then what the client sends is dropped."""
        self.is_busy = False
        self.behind: Behind | None = None
        self.seen_s = front.now_s

    @property
    def client(self) -> str:
        """``host:port`` of the client."""
        host, port = self.transport.get_extra_info("peername")[:2]
        return f"{host}:{port}"

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way in either direction."""
        return not (self.is_busy or self._held or self.behind is not None)

    @property
    def is_partial(self) -> bool:
        """Whether part of a request is here."""
        return bool(self._held) and not self.is_busy and self.behind is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)
        self._front.connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """End; what is being answered is finished all the same."""
        self._is_lost = True
        self._held = b""
        self._share.set(0)
        self._front.forget(self)
        if self.behind is not None:
            self.behind.end()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if self.left_s is not None:
            self.seen_s = self._front.now_s
            return
        if self.behind is not None:
            self.behind.send(data)
            return
        if self._held:
            if not isinstance(self._held, bytearray):
                self._held = bytearray(self._held)
            self._held += data
        else:
            self._held = data
        if not self.is_busy:
            self._next()
        if self._held or self._share.bytes:
            self._count()

    def eof_received(self) -> bool:
        """The client sends no more; it may still wait for an answer."""
        self._is_ended = True
        if self.left_s is not None:
            return False
        if self.behind is not None:
            self.behind.send_eof()
        elif self._held and not self.is_busy:
            self.hand_on()
        else:
            return self.is_busy
        return True

    def pause_writing(self) -> None:
        """The client takes answers too slowly."""
        self.is_clogged = True
        if self.behind is not None:
            self.behind.pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.is_clogged = False
        if self.behind is not None:
            self.behind.resume()
        elif self._held and not self.is_busy:
            self._next()

    def respond(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Send the answer of the request at hand and turn to the next."""
        self.is_busy = False
        if self._is_lost:
            return
        self.seen_s = self._front.now_s
        self.transport.write(self._front.render(status, headers, body))
        if self._ends or (self._is_ended and not self._held):
            self.transport.close()
        elif self._held:
            self.transport.resume_reading()
            self._next()
            self._count()
            if self._is_ended and self.is_partial:
                self.hand_on()

    def end(self) -> None:
        """Close, after the request that is on its way; the server behind ends what it has itself."""
        if self.is_busy or self.is_partial:
            self._ends = True
        elif self.behind is None or self.left_s is not None:
            self.transport.close()

    def leave(self, *, is_cut: bool) -> None:
        """The server behind has ended its side: end this one so that the client gets its last answer.

        `is_cut`: of what the client sent, not all was read. Closed now, the client's system would
        take the rest for a reason to throw away an answer not yet read (RFC 9112, section 9.6).
        """
        if self._is_lost or self.transport.is_closing():
            return
        if self._is_ended or (self._front.is_stopped and not is_cut):
            self.transport.close()
            return
        self.seen_s = self.left_s = self._front.now_s
        self.transport.write_eof()
        self.transport.resume_reading()

    def hand_on(self) -> None:
        """Let the server behind answer what is held and all that follows."""
        held, self._held = bytes(self._held), b""
        self.behind = Behind(self, held, is_ended=self._is_ended)
        self.transport.pause_reading()
        self._front.keep(self.behind.connect(self._front.behind_path))

    def handed_on(self) -> None:
        """What was held has gone to the server behind."""
        self._share.set(0)

    def _count(self) -> None:
        """Count what is held, and hold no more of it where that is too much."""
        if self.behind is not None:
            return
        self._share.set(len(self._held))
        is_over = self._front.held.is_over
        if self.is_busy:
            if is_over or len(self._held) > MAX_HELD_BYTES:
                self.transport.pause_reading()
        elif is_over and self._held:
            self.hand_on()  # which takes bodies as they come, within the same bound, or answers 503

    def _next(self) -> None:
        """Begin with the request at the beginning of what is held, if it is whole."""
        held = self._held
        if self.is_clogged or len(held) < self._needed:
            return
        end = held.find(_HEAD_END)
        if end < 0:
            if len(held) > MAX_HEAD_BYTES or not _may_begin(bytes(held[:_BEGINNING_BYTES])):
                self.hand_on()
            return
        found = self._front.head(bytes(held[:end]))
        if found is None:
            self.hand_on()
            return
        head, route = found
        begin = end + len(_HEAD_END)
        self._needed = begin + head.length
        if len(held) < self._needed:
            return
        body = bytes(held[begin : self._needed])
        if len(held) == self._needed:
            self._held = b""
        else:  # cut off at its front: copies of the rest would make many small requests slow
            self._held = held if isinstance(held, bytearray) else bytearray(held)
            del self._held[: self._needed]
        self._needed = 0
        self.is_busy = True
        if not route.quick(head, body, self):
            self._task = asyncio.create_task(self._respond(route, head, body))

    async def _respond(self, route: PlainRoute, head: Head, body: bytes) -> None:
        scope = msgspec.structs.replace(head, client=self.client, server=self._front.name)
        try:
            found = await route.respond(cast(Any, scope), cast(Any, PlainBody(body)))
        except Exception:
            log.exception("a route failed")
            self.transport.abort()
            return
        self.respond(*found)


class PlainBody:
    """A body that is here already, read as from RSGI's protocol."""

    def __init__(self, body: bytes) -> None:
        """Hold a body."""
        self._body = body

    async def __call__(self) -> bytes:
        """Return it."""
        return self._body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield it."""
        if self._body:
            yield self._body


class Behind(asyncio.Protocol):
    """The other half, to the server behind: bytes pass as they are, with backpressure."""

    def __init__(self, client: Connection, held: bytes, *, is_ended: bool) -> None:
        """Pass `held` on first; `is_ended`: nothing follows it."""
        self._client = client
        self._held = held
        self._is_ended = is_ended
        self._is_clogged = False
        self._transport: asyncio.Transport | None = None
        self._end: socket.socket | None = None

    async def connect(self, path: str) -> None:
        """Connect; the client is cut off when that is impossible."""
        loop = asyncio.get_running_loop()
        end = socket.socket(socket.AF_UNIX)
        try:
            end.setblocking(False)
            named = f"{path}.{self._client.client}"  # tells the server whose connection it is
            with contextlib.suppress(FileNotFoundError):
                os.unlink(named)
            end.bind(named)
            await _connect(end, path)
            os.unlink(named)
            self._end = end
            await loop.create_unix_connection(lambda: self, sock=end)
        except OSError:
            end.close()
            self._client.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass on what came until now."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._held)
        self._held = b""
        if not self._is_clogged:
            self._client.handed_on()
        if self._is_ended:
            self._transport.write_eof()
        if self._client.transport.is_closing():
            self._transport.close()
            return
        if not self._is_clogged:
            self._client.transport.resume_reading()
        if self._client.is_clogged:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The server has closed: pass on what it said before, also where a write failed."""
        if exc is not None and self._end is not None:
            with contextlib.suppress(OSError):
                while left := self._end.recv(UNREAD_BYTES, socket.MSG_DONTWAIT):
                    self._client.transport.write(left)
        self._client.leave(is_cut=exc is not None)

    def data_received(self, data: bytes) -> None:
        """Pass an answer on."""
        self._client.transport.write(data)

    def pause_writing(self) -> None:
        """The server is slower than the client."""
        self._is_clogged = True
        self._client.transport.pause_reading()

    def resume_writing(self) -> None:
        """The server has caught up."""
        self._is_clogged = False
        self._client.handed_on()
        self._client.transport.resume_reading()

    def send(self, data: bytes) -> None:
        """Pass on what the client sent."""
        if self._transport is None:
            self._held += data
        else:
            self._transport.write(data)

    def send_eof(self) -> None:
        """Pass on that the client sends no more."""
        self._is_ended = True
        if self._transport is not None:
            self._transport.write_eof()

    def pause(self) -> None:
        """Read no answers for now."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read answers again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def end(self) -> None:
        """The client is gone."""
        if self._transport is not None:
            self._transport.close()


def _may_begin(held: bytes) -> bool:
    """Return whether the first bytes may be those of a plain request."""
    return held.startswith(_BEGINNINGS) or any(b.startswith(held) for b in _BEGINNINGS)


async def _connect(end: socket.socket, path: str) -> None:
    """Connect to a Unix socket; wait while its server has not accepted those before. Raises OSError."""
    for _ in range(CONNECT_ATTEMPTS):
        try:
            end.connect(path)
        except BlockingIOError:  # never in progress: the queue is full
            await asyncio.sleep(CONNECT_PAUSE_S)
        else:
            return
    raise TimeoutError
