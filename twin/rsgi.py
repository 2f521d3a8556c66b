"""Granian's own protocol (RSGI) in front of the ASGI application.

Hot routes are answered here directly, with one call for the body and one for the answer; everything
else is handed to the application as ASGI. With one reading a request the same server answered 13.4 to
13.8 k requests/s as ASGI and 13.5 to 14.6 k like this. Protocol: Granian's documentation, "RSGI
specification" 1.6.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from granian.rsgi import HTTPProtocol, ProtocolClosed, ProtocolError, Scope

from twin.errors import Unreadable
from twin.held import Held, Share
from twin.outflow import Outflow

if TYPE_CHECKING:
    from twin.front import Front

Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, bytes]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

CLOSED = (ProtocolClosed, ProtocolError)
"""What Granian raises when the client is gone."""


class BrokenOff(Exception):
    """A request's body ended before its end."""


async def body_chunks(scope: Scope, protocol: HTTPProtocol) -> AsyncIterator[bytes]:
    """Yield a request's body as it comes. Raises BrokenOff.

    Granian ends a body with an empty chunk, and gives one more where reading it failed: where a chunked
    body was cut, or its framing is wrong, nothing else tells. Trailers look the same; a request that
    announces them is believed.
    """
    empty = 0
    try:
        async for chunk in protocol:
            if chunk:
                yield bytes(chunk)
            else:
                empty += 1
    except CLOSED as exc:
        raise BrokenOff from exc
    if empty > 1 and "trailer" not in scope.headers:
        raise BrokenOff


DRAINED_BYTES = 65_536
"""So much of a body that nobody wanted is read before the answer. Granian's server closes a connection
when the rest of a body has not come yet, and then the answer may be lost; with a longer body the client
is at least told."""
DRAIN_S = 5.0
"""For that at most."""
_CLOSE = ("connection", "close")


def peer(scope: Scope) -> str:
    """Return ``host:port`` of the client, which the front puts behind the path of its own end."""
    return scope.client.rpartition("/http.")[2]


class HotRoute(Protocol):
    """Answers some requests without the application."""

    def takes(self, method: str, path: str) -> bool:
        """Return whether a request is for this route."""

    async def respond(self, scope: Scope, protocol: HTTPProtocol) -> Answer:
        """Return the answer."""


class RsgiServer:
    """An RSGI application: hot routes first, in order, an ASGI application behind them."""

    def __init__(
        self, hot: Sequence[HotRoute], app: AsgiApp, held: Held, front: "Front | None" = None
    ) -> None:
        """Stand before `app`, whose bodies count as `held`; `front` takes the connections."""
        self._hot = hot
        self._held = held
        self._front = front
        self._app = app
        self._lifespan = _Lifespan(app)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open the application before the first request."""
        loop.run_until_complete(self._lifespan.startup())
        if self._front is not None:
            loop.run_until_complete(self._front.open())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the application after the last request."""
        if self._front is not None:
            loop.run_until_complete(self._front.close())
        loop.run_until_complete(self._lifespan.shutdown())

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        for route in self._hot:
            if route.takes(scope.method, scope.path):
                answer = await route.respond(scope, protocol)
                if answer[0] >= 400 and _may_have_body(scope):
                    is_short = not _may_have_body(scope, DRAINED_BYTES)
                    if not (is_short and await _drained(protocol)):
                        answer[1].append(_CLOSE)
                protocol.response_bytes(*answer)
                return
        own = self._front.address if self._front is not None else None
        with Share(self._held) as share:
            bridge = _Bridge(scope, protocol, own, share)
            try:
                await self._app(bridge.scope, bridge.receive, bridge.send)
            finally:
                bridge.close()


def asgi_scope(scope: Scope, own: tuple[str, int] | None = None) -> dict[str, Any]:
    """Return a request's scope as ASGI has it; `own`: the server's address where the scope has none."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": scope.http_version,
        "server": _address(scope.server) or own,  # a Unix socket has no address
        "client": _address(peer(scope)),
        "scheme": scope.scheme or "http",
        "method": scope.method,
        "root_path": "",
        "path": scope.path,
        "query_string": scope.query_string.encode("latin-1"),
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in _headers(scope)],
        "extensions": {},
    }


class _Bridge:
    """One request, as ASGI sees it."""

    def __init__(
        self, scope: Scope, protocol: HTTPProtocol, own: tuple[str, int] | None, share: Share
    ) -> None:
        self._protocol = protocol
        self._share = share
        self._body = aiter(body_chunks(scope, protocol))
        self._is_read = False
        self._has_body = _may_have_body(scope)
        self._start: tuple[int, Headers] = (500, [])
        self._stream: Any = None
        self._left: int | None = None
        """Bytes of a stream of announced length that are still to come. Granian takes it for ended,
        and its client for gone, as soon as there are none."""
        self._is_over = asyncio.Event()
        behind_front = "/" in scope.client  # the path that the front bound its end to
        self._outflow = Outflow(scope.client if behind_front else _address(scope.client))
        self.scope = asgi_scope(scope, own)

    async def receive(self) -> dict[str, Any]:
        """Return the next part of the body, then wait for the client to go or the answer's end."""
        if self._is_read:
            ends = [
                asyncio.ensure_future(end)
                for end in (self._protocol.client_disconnect(), self._is_over.wait())
            ]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
            return {"type": "http.disconnect"}
        try:
            chunk = await anext(self._body)
        except StopAsyncIteration:
            self._is_read = True
            return {"type": "http.request", "body": b"", "more_body": False}
        except BrokenOff:
            self._is_read = True
            raise Unreadable("The body breaks off.") from None
        self._share.add(len(chunk))
        return {"type": "http.request", "body": chunk, "more_body": True}

    async def send(self, message: dict[str, Any]) -> None:
        """Send what the application says: at once when it is whole, else as a stream."""
        if message["type"] == "http.response.start":
            headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"]]
            if self._has_body and not self._is_read:  # an error, mostly: nobody waited for it
                self._is_read = True
                if not await _drained(self._protocol, self._body):
                    headers.append(_CLOSE)
            self._start = message["status"], headers
            self._left = next((int(v) for k, v in headers if k.lower() == "content-length"), None)
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._stream is None and not more:
            self._protocol.response_bytes(*self._start, bytes(body))
            self._is_over.set()
            return
        try:
            if self._stream is None:
                self._stream = self._protocol.response_stream(*self._start)
            if body:
                await self._stream.send_bytes(bytes(body))
                if self._left is not None:
                    self._left -= len(body)
                await self._outflow.room(len(body))
        except CLOSED as exc:
            raise OSError("the client is gone") from exc
        if not more:
            self._stream = None  # what ends the answer for the client
            self._is_over.set()

    def close(self) -> None:
        """Cut a stream that did not come to its end."""
        if self._stream is not None and self._left != 0:
            self._outflow.cut()


class _Lifespan:
    """Runs an ASGI application's lifespan in a task of its own."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._task = asyncio.ensure_future(self._app(scope, self._events.get, self._answers.put))
        await self._ask("startup")

    async def shutdown(self) -> None:
        await self._ask("shutdown")

    async def _ask(self, what: str) -> None:
        assert self._task is not None
        await self._events.put({"type": f"lifespan.{what}"})
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            await self._task  # raises what ended it
        elif answer.result()["type"] == f"lifespan.{what}.failed":
            raise RuntimeError(answer.result().get("message", what))


def _may_have_body(scope: Scope, over: int = 0) -> bool:
    """Return whether a request may have a body of more than so many bytes that has yet to be read."""
    length = scope.headers.get("content-length")
    if length is None:
        return "transfer-encoding" in scope.headers
    return not (length.isascii() and length.isdigit()) or int(length) > over


async def _drained(protocol: HTTPProtocol, body: AsyncIterator[bytes] | None = None) -> bool:
    """Read what is left of a body, by `body` where that is begun; return whether nothing is left."""
    size = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            body = body or aiter(protocol)
            while size <= DRAINED_BYTES:
                size += len(await anext(body))
    except StopAsyncIteration:
        return True
    except (*CLOSED, BrokenOff):
        return True  # it was read whole, or the client is gone
    except TimeoutError:
        return False
    return False


def _headers(scope: Scope) -> list[tuple[str, str]]:
    return scope.headers.items()


def _address(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdigit() else None
