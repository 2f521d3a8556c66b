"""Counts and times every request of the API by route, and logs it at level debug."""

import time
from typing import Any

import structlog

from twin import metrics

log = structlog.get_logger("twin.access")


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
        status = 500

        async def noting(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            seconds = time.perf_counter() - started
            # The template, not the path: ids would make a series each.
            route = scope.get("path_template") or "other"
            metrics.HTTP_REQUESTS.labels(scope["method"], route, str(status)).inc()
            metrics.HTTP_SECONDS.labels(route).observe(seconds)
            log.debug(
                "request", method=scope["method"], route=route, status=status, seconds=seconds
            )
