"""POST /ingest/{datasource_id}, answered before any framework.

Routing, injection and validation of a framework cost more than decoding a reading; the checks here
are the same and in the same order for every request.
"""

import base64
import binascii
import time
from collections.abc import AsyncIterator
from uuid import UUID

from granian.rsgi import HTTPProtocol, Scope

from ingest.body import Disconnected, body_pieces, decompress, read_body
from ingest.formats.media import NAMES, find_charset, find_format
from ingest.inflate import Inflater
from ingest.options import parse_options
from ingest.service import IngestService
from twin import http_errors, metrics
from twin.auth import ingest_grant
from twin.errors import Overloaded, Unauthorized, Unreadable, UnsupportedMedia
from twin.ground import Ground
from twin.keys.grants import IngestGrant
from twin.rsgi import Answer

PREFIX = "/ingest/"
_SCHEMES = ("bearer ", "token ")
_STATUS = {code: metrics.REQUESTS.labels(str(code)) for code in (200, 400, 401, 413, 415, 422, 503)}
_JSON = ("content-type", "application/json")
_BASIC = ("www-authenticate", 'Basic realm="twinfeed"')
"""Beside the Bearer challenge: curl and collectd send a password only when they are asked for one."""


class IngestRoute:
    """The hot route of readings."""

    def __init__(self) -> None:
        """Answer 503 until `open` gives it its service."""
        self._ground: Ground | None = None
        self._service: IngestService | None = None

    def open(self, ground: Ground, service: IngestService) -> None:
        """Begin to take readings in."""
        self._ground, self._service = ground, service

    def takes(self, method: str, path: str) -> bool:
        """Return whether a request sends readings."""
        return path.startswith(PREFIX) and method == "POST" and "/" not in path[len(PREFIX) :]

    async def respond(self, scope: Scope, protocol: HTTPProtocol) -> Answer | None:
        """Take a request's readings in; None: the client went away before it had sent them."""
        started = time.perf_counter()
        headers = [_JSON]
        try:
            status, body = await self._ingest(scope, protocol)
        except Disconnected:
            return None
        except Exception as exc:
            status, extra, body = http_errors.render(http_errors.from_any(exc))
            headers += extra
            if status == 401:
                headers.append(_BASIC)
        counter = _STATUS.get(status)
        (counter or metrics.REQUESTS.labels(str(status))).inc()
        metrics.REQUEST_SECONDS.observe(time.perf_counter() - started)
        return status, headers, body

    async def _ingest(self, scope: Scope, protocol: HTTPProtocol) -> tuple[int, bytes]:
        if self._ground is None or self._service is None:
            raise Overloaded("The server is starting.", retry_after_s=1)
        headers = dict(scope.headers.items())
        grant = await self._grant(scope.path[len(PREFIX) :], headers, scope.client)
        content_type = headers.get("content-type", "")
        format_ = find_format(content_type)
        if format_ is None:
            _check_type(content_type)
        options = parse_options(scope.query_string)
        settings = self._ground.settings
        encoding = headers.get("content-encoding", "")
        length = _content_length(headers)
        if format_ is not None:
            charset = find_charset(content_type)
            pieces = self._pieces(protocol, length, encoding, is_streamed=format_.is_streamed)
            if grant.is_paced:
                pieces = self._service.counted(grant, pieces)
            return await self._service.ingest_stream(grant, format_, charset, pieces, options)
        raw = await read_body(protocol, length, settings.max_body_bytes)
        if grant.is_paced:
            self._service.count_bytes(grant, len(raw))
        body = decompress(raw, encoding, settings.max_decompressed_bytes)
        return await self._service.ingest_json(grant, body, options)

    def _pieces(
        self, protocol: HTTPProtocol, length: int | None, encoding: str, *, is_streamed: bool
    ) -> AsyncIterator[bytes]:
        """Return the decompressed body piece by piece, bounded by what its format allows."""
        assert self._ground is not None
        settings = self._ground.settings
        most = settings.max_stream_bytes if is_streamed else settings.max_body_bytes
        expanded = settings.max_stream_bytes if is_streamed else settings.max_decompressed_bytes
        return body_pieces(protocol, length, most, Inflater(encoding, expanded))

    async def _grant(self, datasource_id: str, headers: dict[str, str], peer: str) -> IngestGrant:
        assert self._ground is not None
        assert self._service is not None
        secret = ingest_secret(headers)
        if not secret:
            raise Unauthorized("Send the datasource's ingest key: Authorization: Bearer tfi_….")
        grant = await ingest_grant(self._ground, secret, headers, peer)
        if str(grant.datasource_id) != datasource_id.lower():
            try:
                same = UUID(datasource_id) == grant.datasource_id
            except ValueError:
                same = False
            if not same:
                raise Unauthorized("The ingest key does not belong to this datasource.")
        if grant.is_paced:
            self._service.check_pace(grant)
        return grant


def ingest_secret(headers: dict[str, str]) -> bytes:
    """Return the ingest key of a request, in any of the contract's forms, or b''."""
    value = headers.get("authorization", "").strip()
    if not value:
        return headers.get("x-api-key", "").strip().encode()
    head = value[:7].lower()
    for scheme in _SCHEMES:
        if head.startswith(scheme):
            return value[len(scheme) :].strip().encode()
    if head.startswith("basic "):
        try:
            return base64.b64decode(value[6:].strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return value.encode()


def _check_type(content_type: str) -> None:
    """Raise UnsupportedMedia for what is not JSON; no Content-Type = JSON."""
    media = content_type.partition(";")[0].strip().lower()
    # curl -d names a form type when nobody says otherwise.
    if media in ("", "application/json", "text/json", "application/x-www-form-urlencoded"):
        return
    raise UnsupportedMedia(
        f"Content-Type '{media[:80]}' is not supported: send {', '.join(NAMES)}."
    )


def _content_length(headers: dict[str, str]) -> int | None:
    raw = headers.get("content-length")
    if raw is None:
        return None
    if not (raw.isascii() and raw.isdigit()):
        raise Unreadable("Content-Length is not a number.")
    return int(raw)
