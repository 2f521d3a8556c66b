"""Plain requests that the application answers whole, without the way through the server behind.

That way is two more sockets and the server's threads. Invariant: the application sees the request as it
would behind the server, and what it answers in parts for as long as its reader takes never comes here:
only the server behind knows how to wait for a slow reader.
"""

import asyncio
import re
from typing import Any

from granian.rsgi import HTTPProtocol, Scope

from twin.front.connection import Reply
from twin.front.head import Head
from twin.held import Held, Share
from twin.rsgi import Answer, AsgiApp, Headers, asgi_scope

STREAMED = re.compile(r"/v1/(stream|alerts/events|.*/(export|content))/?")
"""Paths whose answers come in parts."""


class ApplicationRoute:
    """Behind all hot routes: hands a request to an ASGI application."""

    def __init__(self, app: AsgiApp, held: Held) -> None:
        """Stand before `app`; bodies count as `held`."""
        self._app = app
        self._held = held

    def takes(self, _method: str, path: str) -> bool:
        """Return whether a request has an answer that comes whole."""
        return STREAMED.fullmatch(path) is None

    def quick(self, _head: Head, _body: bytes, _reply: Reply) -> bool:
        """Take nothing: the application awaits."""
        return False

    async def respond(self, scope: Scope, protocol: HTTPProtocol) -> Answer:
        """Return the application's answer."""
        with Share(self._held) as share:
            exchange = _Exchange(await protocol(), share)
            try:
                await self._app(asgi_scope(scope), exchange.receive, exchange.send)
            finally:
                exchange.is_over.set()
        return exchange.answer(scope.method)


class _Exchange:
    """One request and its answer, as ASGI sees them."""

    def __init__(self, body: bytes, share: Share) -> None:
        self._body: bytes | None = body
        self._share = share
        self._status = 500
        self._headers: Headers = []
        self._parts: list[bytes] = []
        self.is_over = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        """Return the body, then wait for the answer's end."""
        body, self._body = self._body, None
        if body is None:
            await self.is_over.wait()
            return {"type": "http.disconnect"}
        self._share.add(len(body))
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        """Keep what the application says."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"]
            ]
        else:
            self._parts.append(bytes(message.get("body", b"")))

    def answer(self, method: str) -> Answer:
        """Return the answer; its length is the front's to tell, but of what HEAD leaves out."""
        headers = self._headers
        if method != "HEAD":
            headers = [h for h in headers if h[0].lower() != "content-length"]
        return self._status, headers, b"".join(self._parts)
