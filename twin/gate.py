"""In front of every API route: who asks, whether they may go on, and what every answer then says.

Invariant: a request is charged once, before it is routed, and its answer says what is left, whatever
the answer is; what turns out to cost nothing (304) is given back. Ingest does not come this way.
"""

import re
from typing import Any

from twin import http_errors
from twin.auth import CALLER, Caller, find_caller
from twin.clock import now_us
from twin.errors import Unauthorized
from twin.ground import Ground
from twin.jobs import Job
from twin.keys.usage import FLUSH_INTERVAL_S
from twin.limits.sync import SYNC_INTERVAL_S

PREFIX = "/v1/"
FREE = re.compile(
    r"/v1/(data/\w+|stream|grafana/.*|widgets/data|widgets/[0-9a-fA-F-]+/(data|image\.svg))/?"
)
"""Widget data and streams are not counted: whoever shows them polls."""
_EXPOSED = "ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
_PREFLIGHT = [
    ("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE"),
    (
        "access-control-allow-headers",
        "Authorization, Content-Type, If-None-Match, X-API-Key, X-App-Token",
    ),
    ("access-control-max-age", "600"),
    ("vary", "Origin"),
]
NOT_STORED = (b"cache-control", b"no-store")
"""On answers that say nothing else about it: some show a key, once."""
Headers = list[tuple[str, str]]


class Gate:
    """ASGI middleware in front of the framework."""

    def __init__(self, app: Any, held: list[Ground]) -> None:
        """Stand in front of `app`; `held` is filled with the ground once that is open."""
        self._app = app
        self._held = held

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX) or not self._held:
            await self._app(scope, receive, send)
            return
        passage = _Passage(self._held[0], scope)
        try:
            if await passage.is_preflight():
                await passage.answer(send, 204, _PREFLIGHT, b"")
                return
            await passage.enter()
        except Exception as exc:
            status, headers, body = http_errors.render(http_errors.from_any(exc))
            headers.append(("content-type", "application/json"))
            await passage.answer(send, status, headers, body)
            return

        async def telling(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *_encoded(passage.leave(message["status"]))]
                if not any(name.lower() == b"cache-control" for name, _ in headers):
                    headers.append(NOT_STORED)
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, telling)


class _Passage:
    """One request on its way through."""

    def __init__(self, ground: Ground, scope: Any) -> None:
        self._ground = ground
        self._scope = scope
        self._headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        self._origin = self._headers.get("origin", "")
        self._caller: Caller | None = None
        self._charged_us = 0
        self._allowed_origin = ""

    async def enter(self) -> None:
        """Find the caller and charge the request. Raises TwinfeedError.

        A caller without a valid key is let through: the routes that need one refuse it.
        """
        host = (self._scope.get("client") or ("", 0))[0]
        forwarded = self._headers.get("x-forwarded-for", "")
        address = self._ground.proxies.client(f"{host}:0", lambda: forwarded)
        try:
            caller = await find_caller(
                self._ground, self._headers, self._scope["query_string"], address
            )
        except Unauthorized as exc:
            self._scope[CALLER] = exc
            return
        self._caller = self._scope[CALLER] = caller
        self._ground.usage.note(caller.principal.key_id)
        if self._origin and self._origin in caller.principal.allowed_origins:
            self._allowed_origin = self._origin
        if not FREE.fullmatch(self._scope["path"]):
            now = now_us()
            self._ground.limits.charge(caller.principal, caller.application, now)
            self._charged_us = now
        if caller.refusal is not None:
            raise caller.refusal

    async def is_preflight(self) -> bool:
        """Return whether a browser asks if it may ask, from an origin that is allowed somewhere.

        It sends no key then, so which organisation it will be is not known yet.
        """
        if self._scope["method"] != "OPTIONS" or not self._origin:
            return False
        if "access-control-request-method" not in self._headers:
            return False
        if self._origin not in await self._ground.keys.origins():
            return False
        self._allowed_origin = self._origin
        return True

    def leave(self, status: int) -> Headers:
        """Return the headers that an answer carries beside its own."""
        found: Headers = [("x-content-type-options", "nosniff")]
        caller = self._caller
        if caller is not None:
            if status == 304 and self._charged_us:
                self._ground.limits.refund(caller.principal, caller.application, self._charged_us)
                self._charged_us = 0
            quota = self._ground.limits.quota(caller.principal, now_us())
            if quota is not None:
                found += quota.headers()
        if self._allowed_origin:
            found.append(("access-control-allow-origin", self._allowed_origin))
            if caller is not None:
                found += [("access-control-expose-headers", _EXPOSED), ("vary", "Origin")]
        return found

    async def answer(self, send: Any, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer of the gate's own."""
        headers = [*headers, ("content-length", str(len(body))), *self.leave(status)]
        if status == 204:
            headers = [h for h in headers if h[0] != "content-length"]
        await send({"type": "http.response.start", "status": status, "headers": _encoded(headers)})
        await send({"type": "http.response.body", "body": body})


def gate_jobs() -> list[Job]:
    """Return what each worker writes beside its requests: keys' usage, and counts of limits."""

    async def write_usage(ground: Ground) -> None:
        await ground.usage.flush()

    async def sync(ground: Ground) -> None:
        await ground.sync.run()

    return [
        Job("usage", FLUSH_INTERVAL_S, write_usage, exclusive=False),
        Job("limits", SYNC_INTERVAL_S, sync, exclusive=False),
    ]


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers]
