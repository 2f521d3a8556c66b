"""OpenTelemetry's OTLP/HTTP for metrics: POST /v1/metrics, protobuf or JSON.

Points that do not fit are counted in `partial_success` of a 200, as the protocol wants it; errors are a
google.rpc.Status. Both in the request's encoding.
"""

from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from ingest.body import decompress
from ingest.foreign.otlp_points import readings_of
from ingest.foreign.protocol import MAX_MESSAGE_BYTES, Endpoint, Intake, Request
from ingest.readings import Context, Reading
from twin.errors import TwinfeedError, Unauthorized, Unreadable, UnsupportedMedia
from twin.rsgi import Answer, Headers
from twin.schema import DatasourceSchema

PATH = "/v1/metrics"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
_MAX_TOLD = 10
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 415: 3, 422: 3, 429: 8, 503: 14}
"""HTTP status → google.rpc.Code; else 13, internal."""
_MAX_JSON_DEPTH = 100
_NOT_JSON = "The body is not an ExportMetricsServiceRequest in JSON."


class Metrics(Endpoint):
    """The endpoint of metrics."""

    def decode(self, body: bytes, encoding: str, max_bytes: int) -> bytes:
        """Return a message without its Content-Encoding."""
        return decompress(body, encoding, min(max_bytes, MAX_MESSAGE_BYTES))

    async def answer(self, request: Request, intake: Intake | None) -> Answer:
        """Answer 200, with partial_success where points were rejected."""
        assert intake is not None
        message = decode(request.body, request.media_type)
        settings = intake.settings

        def read(_schema: DatasourceSchema, context: Context) -> list[Reading]:
            return readings_of(
                message,
                context.received_us,
                settings.max_readings,
                settings.max_device_length,
            )

        outcome = await intake.take(read)
        response = ExportMetricsServiceResponse()
        if outcome.rejected:
            told = "; ".join(f"{e.key}: {e.message}" for e in outcome.errors[:_MAX_TOLD])
            response.partial_success.rejected_data_points = outcome.rejected
            response.partial_success.error_message = told
        return 200, *_encode(response, request)

    def refuse(self, request: Request, error: TwinfeedError) -> Answer:
        """Return a google.rpc.Status."""
        headers, body = _encode(
            Status(code=_CODES.get(error.status, 13), message=error.message), request
        )
        if isinstance(error, Unauthorized):
            headers.append(("www-authenticate", 'Bearer realm="twinfeed"'))
        return error.status, headers, body


def decode(body: bytes, media_type: str) -> Any:
    """Return an ExportMetricsServiceRequest. Raises Unreadable, UnsupportedMedia."""
    if media_type == PROTOBUF:
        try:
            return ExportMetricsServiceRequest.FromString(body)
        except DecodeError as exc:
            raise Unreadable("The body is not an ExportMetricsServiceRequest.") from exc
    if media_type == JSON:
        message = ExportMetricsServiceRequest()
        if body.lstrip()[:1] != b"{":  # the library takes an empty array for an empty message
            raise Unreadable(_NOT_JSON)
        try:
            json_format.Parse(
                body, message, ignore_unknown_fields=True, max_recursion_depth=_MAX_JSON_DEPTH
            )
        except (json_format.ParseError, UnicodeDecodeError) as exc:
            raise Unreadable(_NOT_JSON) from exc
        return message
    raise UnsupportedMedia(f"Content-Type must be {PROTOBUF} or {JSON}.")


def _encode(message: Any, request: Request) -> tuple[Headers, bytes]:
    if request.media_type == JSON:
        text = json_format.MessageToJson(message, indent=None)
        return [("content-type", JSON)], text.encode()
    return [("content-type", PROTOBUF)], message.SerializeToString()
