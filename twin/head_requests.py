"""HEAD, for every route that answers GET: the same answer without its body (RFC 9110 9.3.2).

Invariant: the application behind knows GET alone, so that no route can forget HEAD. An answer in parts
ends with its head: who makes the parts is told that the reader is gone.
"""

from collections.abc import Iterable
from typing import Any

from twin.rsgi import AsgiApp


def allowed(methods: Iterable[str]) -> str:
    """Return the Allow header of a path whose routes know these methods."""
    known = {*methods}
    return ", ".join(sorted(known | {"HEAD"} if "GET" in known else known))


class HeadRequests:
    """ASGI middleware in front of everything."""

    def __init__(self, app: AsgiApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        ended = False

        async def send_head(message: Any) -> None:
            nonlocal ended
            if ended:
                return
            if message["type"] == "http.response.start":
                await send(message)
            else:
                ended = True
                await send({"type": "http.response.body", "body": b""})

        async def receive_or_end() -> Any:
            return {"type": "http.disconnect"} if ended else await receive()

        await self._app({**scope, "method": "GET"}, receive_or_end, send_head)
