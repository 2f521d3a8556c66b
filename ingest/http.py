"""POST /ingest/{datasource_id}: a few lines of ASGI in front of the application.

Everything else passes on. A framework's routing, injection and validation cost more than decoding a
reading; the checks here are the same and in the same order for every request.
"""

import base64
import binascii
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from ingest.body import Disconnected, decompress, read_body
from ingest.options import parse_options
from ingest.service import IngestService
from twin import http_errors, metrics
from twin.clock import now_us
from twin.errors import Overloaded, Unauthorized, Unreadable, UnsupportedMedia
from twin.ground import Ground
from twin.keys.directory import IngestGrant

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PREFIX = "/ingest/"
_SCHEMES = (b"bearer ", b"token ")
_STATUS = {code: metrics.REQUESTS.labels(str(code)) for code in (200, 400, 401, 413, 415, 422, 503)}


class IngestFront:
    """An ASGI application that answers ingest requests and passes all others on."""

    def __init__(self, app: App) -> None:
        """Stand in front of `app`; `open` gives it its service."""
        self._app = app
        self._ground: Ground | None = None
        self._service: IngestService | None = None

    def open(self, ground: Ground, service: IngestService) -> None:
        """Begin to take readings in."""
        self._ground, self._service = ground, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        is_ours = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        if is_ours and scope["method"] == "POST" and "/" not in scope["path"][len(PREFIX) :]:
            await self._respond(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers: list[tuple[bytes, bytes]] = []
        try:
            status, body = await self._ingest(scope, receive)
        except Disconnected:
            return
        except Exception as exc:
            status, extra, body = http_errors.render(http_errors.from_any(exc))
            headers = [(name.encode(), value.encode()) for name, value in extra]
        counter = _STATUS.get(status)
        (counter or metrics.REQUESTS.labels(str(status))).inc()
        metrics.REQUEST_SECONDS.observe(time.perf_counter() - started)
        headers += [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _ingest(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        if self._ground is None or self._service is None:
            raise Overloaded("The server is starting.", retry_after_s=1)
        headers = dict(scope["headers"])
        grant = await self._grant(scope["path"][len(PREFIX) :], headers)
        _check_type(headers.get(b"content-type", b""))
        options = parse_options(scope["query_string"])
        settings = self._ground.settings
        raw = await read_body(receive, _content_length(headers), settings.max_body_bytes)
        encoding = headers.get(b"content-encoding", b"").decode("latin-1")
        body = decompress(raw, encoding, settings.max_decompressed_bytes)
        return await self._service.ingest_json(grant, body, options)

    async def _grant(self, datasource_id: str, headers: dict[bytes, bytes]) -> IngestGrant:
        assert self._ground is not None
        secret = ingest_secret(headers)
        if not secret:
            raise Unauthorized("Send the datasource's ingest key: Authorization: Bearer tfi_….")
        keys = self._ground.keys
        grant = keys.cached_ingest(secret, now_us()) or await keys.ingest(secret)
        if str(grant.datasource_id) != datasource_id.lower():
            try:
                same = UUID(datasource_id) == grant.datasource_id
            except ValueError:
                same = False
            if not same:
                raise Unauthorized("The ingest key does not belong to this datasource.")
        return grant


def ingest_secret(headers: dict[bytes, bytes]) -> bytes:
    """Return the ingest key of a request, in any of the contract's forms, or b''."""
    value = headers.get(b"authorization", b"").strip()
    if not value:
        return headers.get(b"x-api-key", b"").strip()
    head = value[:7].lower()
    for scheme in _SCHEMES:
        if head.startswith(scheme):
            return value[len(scheme) :].strip()
    if head.startswith(b"basic "):
        try:
            return base64.b64decode(value[6:].strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return value


def _check_type(content_type: bytes) -> None:
    """Raise UnsupportedMedia for what is not JSON; no Content-Type = JSON."""
    media = content_type.partition(b";")[0].strip().lower()
    # curl -d names a form type when nobody says otherwise.
    if media in (b"", b"application/json", b"text/json", b"application/x-www-form-urlencoded"):
        return
    shown = media[:80].decode("latin-1")
    raise UnsupportedMedia(f"Content-Type '{shown}' is not supported: send application/json.")


def _content_length(headers: dict[bytes, bytes]) -> int | None:
    raw = headers.get(b"content-length")
    if raw is None:
        return None
    if not raw.isdigit():
        raise Unreadable("Content-Length is not a number.")
    return int(raw)
