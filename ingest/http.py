"""POST /ingest/{datasource_id}, answered before any framework.

Routing, injection and validation of a framework cost more than decoding a reading; the checks here
are the same and in the same order for every request.
"""

import asyncio
import base64
import binascii
import time
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache
from uuid import UUID

import msgspec
from granian.rsgi import HTTPProtocol, Scope

from ingest import answer
from ingest.body import body_pieces, decompress, read_body
from ingest.formats.media import NAMES, find_charset, find_format
from ingest.inflate import Inflater
from ingest.options import Options, parse_options
from ingest.service import IngestService, count_accepted
from twin import http_errors, metrics
from twin.auth import ingest_grant
from twin.clock import now_us
from twin.errors import Overloaded, TwinfeedError, Unauthorized, Unreadable, UnsupportedMedia
from twin.front import Head, Reply
from twin.ground import Ground
from twin.held import Held, Share
from twin.keys.grants import IngestGrant
from twin.rsgi import Answer, peer

PREFIX = "/ingest/"
_SCHEMES = ("bearer ", "token ")
_STATUS = {code: metrics.REQUESTS.labels(str(code)) for code in (200, 400, 401, 413, 415, 422, 503)}
_JSON = ("content-type", "application/json")
_JSON_ONLY = (_JSON,)
_BASIC = ("www-authenticate", 'Basic realm="twinfeed"')
"""Beside the Bearer challenge: curl and collectd send a password only when they are asked for one."""


class IngestRoute:
    """The hot route of readings."""

    def __init__(self, held: Held) -> None:
        """Answer 503 until `open` gives it its service; bodies count as `held`."""
        self._held = held
        self._ground: Ground | None = None
        self._service: IngestService | None = None

    def open(self, ground: Ground, service: IngestService) -> None:
        """Begin to take readings in."""
        self._ground, self._service = ground, service

    def takes(self, method: str, path: str) -> bool:
        """Return whether a request sends readings."""
        return path.startswith(PREFIX) and method == "POST" and "/" not in path[len(PREFIX) :]

    def quick(self, head: Head, body: bytes, reply: Reply) -> bool:
        """Take JSON that is in order, with a key that is known."""
        if self._ground is None or self._service is None:
            return False
        memo: _Memo | None = head.memo
        if memo is None or memo.generation != self._ground.keys.generation:
            memo = head.memo = self._memo(head)
        if memo is None or memo.grant.expires_us <= now_us():
            return False
        waiter = _Waiter(reply, time.perf_counter())
        try:
            waiter.readings = self._service.take_quick(memo.grant, body, memo.options, waiter)
        except Overloaded:
            return False
        return waiter.readings > 0

    def _memo(self, head: Head) -> "_Memo | None":
        """Return what stays the same for requests with this head; None: it is not for the quick way."""
        assert self._ground is not None
        settings, headers, keys = self._ground.settings, head.headers, self._ground.keys
        most = min(settings.max_body_bytes, settings.max_decompressed_bytes)
        content_type = headers.get("content-type", "")
        if head.length > most or find_format(content_type) is not None:
            return None
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            return None
        generation = keys.generation
        try:
            _check_type(content_type)
            options = parse_options(head.query_string)
        except TwinfeedError:
            return None
        grant = keys.cached_ingest(ingest_secret(headers), now_us())
        if grant is None or str(grant.datasource_id) != head.path[len(PREFIX) :]:
            return None
        return _Memo(generation, grant, options)

    async def respond(self, scope: Scope, protocol: HTTPProtocol) -> Answer:
        """Take a request's readings in."""
        started = time.perf_counter()
        headers = [_JSON]
        try:
            with Share(self._held) as share:
                status, body = await self._ingest(scope, protocol, share)
        except Exception as exc:
            status, extra, body = http_errors.render(http_errors.from_any(exc))
            headers += extra
            if status == 401:
                headers.append(_BASIC)
        counter = _STATUS.get(status)
        (counter or metrics.REQUESTS.labels(str(status))).inc()
        metrics.REQUEST_SECONDS.observe(time.perf_counter() - started)
        return status, headers, body

    async def _ingest(
        self, scope: Scope, protocol: HTTPProtocol, share: Share
    ) -> tuple[int, bytes]:
        if self._ground is None or self._service is None:
            raise Overloaded("The server is starting.", retry_after_s=1)
        headers = dict(scope.headers.items())
        grant = await self._grant(scope.path[len(PREFIX) :], headers, peer(scope))
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
            pieces = self._pieces(
                scope, protocol, length, encoding, is_streamed=format_.is_streamed
            )
            if not format_.is_streamed:
                pieces = _held_whole(pieces, share)
            if grant.is_paced:
                pieces = self._service.counted(grant, pieces)
            return await self._service.ingest_stream(grant, format_, charset, pieces, options)
        raw = await read_body(scope, protocol, length, settings.max_body_bytes, share)
        if grant.is_paced:
            self._service.count_bytes(grant, len(raw))
        body = decompress(raw, encoding, settings.max_decompressed_bytes)
        share.add(max(len(body) - len(raw), 0))
        return await self._service.ingest_json(grant, body, options)

    def _pieces(
        self,
        scope: Scope,
        protocol: HTTPProtocol,
        length: int | None,
        encoding: str,
        *,
        is_streamed: bool,
    ) -> AsyncIterator[bytes]:
        """Return the decompressed body piece by piece, bounded by what its format allows."""
        assert self._ground is not None
        settings = self._ground.settings
        most = settings.max_stream_bytes if is_streamed else settings.max_body_bytes
        expanded = settings.max_stream_bytes if is_streamed else settings.max_decompressed_bytes
        return body_pieces(scope, protocol, length, most, Inflater(encoding, expanded))

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


class _Memo(msgspec.Struct):
    """What the head of a request means, while no key has changed since."""

    generation: int
    grant: IngestGrant
    options: Options


class _Waiter:
    """A request on the quick way, waiting for its commit."""

    __slots__ = ("_reply", "_started_s", "readings")

    def __init__(self, reply: Reply, started_s: float) -> None:
        self._reply = reply
        self._started_s = started_s
        self.readings = 0

    def cancelled(self) -> bool:
        return False

    def done(self) -> bool:
        return False

    def set_result(self, _result: None) -> None:
        _tally.add(self.readings)
        self._end(200, _JSON_ONLY, _accepted(self.readings))

    def set_exception(self, exception: Exception) -> None:
        status, extra, body = http_errors.render(http_errors.from_any(exception))
        (_STATUS.get(status) or metrics.REQUESTS.labels(str(status))).inc()
        self._end(status, [_JSON, *extra], body)

    def _end(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        metrics.REQUEST_SECONDS.observe(time.perf_counter() - self._started_s)
        self._reply.respond(status, headers, body)


class _Tally:
    """Counts requests that were accepted whole, for the metrics once a turn of the event loop."""

    def __init__(self) -> None:
        self._requests = self._readings = 0

    def add(self, readings: int) -> None:
        if not self._requests:
            asyncio.get_running_loop().call_soon(self._count)
        self._requests += 1
        self._readings += readings

    def _count(self) -> None:
        _STATUS[200].inc(self._requests)
        count_accepted(self._readings)
        self._requests = self._readings = 0


_tally = _Tally()


@lru_cache(maxsize=1024)
def _accepted(readings: int) -> bytes:
    return answer.render(readings, 0, [])[1]


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


async def _held_whole(pieces: AsyncIterator[bytes], share: Share) -> AsyncIterator[bytes]:
    """Pass on a body that its parser keeps until it has ended."""
    async for piece in pieces:
        share.add(len(piece))
        yield piece


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
