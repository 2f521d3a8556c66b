"""Counts and times every request of the API by route, and logs it at level debug."""

import time
from typing import Any

import structlog

from twin import metrics

log = structlog.get_logger("twin.access")

_ENDLESS = b"text/event-stream"
"""Timed until the answer begins: it ends when the reader goes."""


class AccessCounter:
    """ASGI middleware around the application."""

    def __init__(self, app: Any) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        began_s: float | None = None
        status = 500

        async def noting(message: Any) -> None:
            nonlocal status, began_s
            if message["type"] == "http.response.start":
                status = message["status"]
                if dict(message["headers"]).get(b"content-type", b"").startswith(_ENDLESS):
                    began_s = time.perf_counter() - started
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            seconds = time.perf_counter() - started if began_s is None else began_s
            # The template, not the path: ids would make a series each.
            route = scope.get("path_template") or "other"
            metrics.HTTP_REQUESTS.labels(scope["method"], route, str(status)).inc()
            metrics.HTTP_SECONDS.labels(route).observe(seconds)
            log.debug(
                "request", method=scope["method"], route=route, status=status, seconds=seconds
            )
