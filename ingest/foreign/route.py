"""The hot route of other systems' clients: finds the endpoint, checks the key, reads the body.

What is the same for all protocols is done here and in the same order as for our own readings; only
the form of key, body and answer is the endpoint's.
"""

import time
from urllib.parse import parse_qsl

from granian.rsgi import HTTPProtocol, Scope

from ingest.body import read_body
from ingest.foreign import influx_query, influx_write, otlp, prometheus, thingsboard
from ingest.foreign.protocol import Endpoint, Intake, Request, WrongMethod
from ingest.service import IngestService
from twin import http_errors, metrics
from twin.auth import ingest_grant
from twin.errors import Overloaded, Unauthorized, Unreadable
from twin.front import Head, Reply
from twin.ground import Ground
from twin.held import Held, Share
from twin.rsgi import Answer, peer


class ForeignRoute:
    """Answers InfluxDB, ThingsBoard, Prometheus and OpenTelemetry clients."""

    def __init__(self, held: Held) -> None:
        """Answer 503 until `open` gives it its service; bodies count as `held`."""
        self._held = held
        self._ground: Ground | None = None
        self._service: IngestService | None = None
        self._telemetry = thingsboard.Telemetry()
        self._endpoints: dict[str, Endpoint] = {
            **influx_write.endpoints(),
            **influx_query.endpoints(),
            prometheus.PATH: prometheus.RemoteWrite(),
            otlp.PATH: otlp.Metrics(),
        }

    def open(self, ground: Ground, service: IngestService) -> None:
        """Begin to take readings in."""
        self._ground, self._service = ground, service

    def takes(self, method: str, path: str) -> bool:
        """Return whether a path is one of these protocols', whatever the method."""
        return path in self._endpoints or thingsboard.is_telemetry(path)

    def quick(self, head: Head, body: bytes, reply: Reply) -> bool:
        """Leave every request to `respond`."""
        return False

    async def respond(self, scope: Scope, protocol: HTTPProtocol) -> Answer:
        """Answer a request."""
        started = time.perf_counter()
        endpoint = self._endpoints.get(scope.path, self._telemetry)
        params = dict(parse_qsl(scope.query_string, keep_blank_values=True))
        request = Request(scope.method, scope.path, params, dict(scope.headers.items()))
        try:
            with Share(self._held) as share:
                status, headers, body = await self._answer(
                    endpoint, request, scope, protocol, share
                )
        except Exception as exc:
            error = http_errors.from_any(exc)
            status, headers, body = endpoint.refuse(request, error)
            if error.retry_after_s is not None:
                headers = [*headers, ("retry-after", str(error.retry_after_s))]
            if isinstance(error, WrongMethod):
                headers = [*headers, ("allow", ", ".join(endpoint.methods))]
        if endpoint.ingests:
            metrics.REQUESTS.labels(str(status)).inc()
            metrics.REQUEST_SECONDS.observe(time.perf_counter() - started)
        return status, headers, body if scope.method != "HEAD" else b""

    async def _answer(
        self,
        endpoint: Endpoint,
        request: Request,
        scope: Scope,
        protocol: HTTPProtocol,
        share: Share,
    ) -> Answer:
        if request.method not in endpoint.methods:
            raise WrongMethod
        if self._ground is None or self._service is None:
            raise Overloaded("The server is starting.", retry_after_s=1)
        settings = self._ground.settings
        intake = None
        if endpoint.needs_key:
            secret = endpoint.secret(request)
            if not secret:
                raise Unauthorized("Send the datasource's ingest key (tfi_…) as token or password.")
            grant = await ingest_grant(self._ground, secret, request.headers, peer(scope))
            if grant.is_paced:
                self._service.check_pace(grant)
            intake = Intake(self._service, settings, grant)
        if request.method == "POST":
            raw = await read_body(scope, protocol, _length(request), settings.max_body_bytes, share)
            if intake is not None:
                intake.count_bytes(len(raw))
            encoding = request.headers.get("content-encoding", "")
            request.body = endpoint.decode(raw, encoding, settings.max_decompressed_bytes)
            share.add(max(len(request.body) - len(raw), 0))
        return await endpoint.answer(request, intake)


def _length(request: Request) -> int | None:
    raw = request.headers.get("content-length")
    if raw is None:
        return None
    if not (raw.isascii() and raw.isdigit()):
        raise Unreadable("Content-Length is not a number.")
    return int(raw)
