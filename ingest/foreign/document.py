"""The endpoints of other systems' clients as the OpenAPI document shows them.

`ForeignRoute` answers them before routing; what they take and answer is theirs, not our native form.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from litestar import HttpMethod, route
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
)

from ingest.foreign import influx_write, otlp, prometheus
from ingest.foreign.influx_query import PING_PATH, QUERY_PATH
from ingest.foreign.thingsboard import PREFIX, SUFFIX
from twin.errors import NotFound

JSON, TEXT = "application/json", "text/plain"
_TEXT = Schema(type=OpenAPIType.STRING)
_READING = Schema(type=OpenAPIType.OBJECT)
_WHOLE = Schema(type=OpenAPIType.INTEGER)
_LINES = {TEXT: "line protocol: measurement,tag=value field=value time"}
_WORD = re.compile(r"[a-z0-9]+(?!\w*\})")
_PROTOBUF = "application/x-protobuf"


def _object(**properties: Schema) -> Schema:
    return Schema(type=OpenAPIType.OBJECT, properties=dict(properties))


_V1 = (JSON, _object(error=_TEXT))
_V2 = (JSON, _object(code=_TEXT, message=_TEXT, line=_WHOLE))
_V3 = (JSON, _object(error=_TEXT, data=Schema(description="a bad line each")))
_BOARD = (JSON, _object(status=_WHOLE, message=_TEXT, errorCode=_WHOLE))
_STATUS = (JSON, _object(code=_WHOLE, message=_TEXT))
_REFUSED = {
    401: "missing or invalid key",
    413: "too large, as sent or after decompression",
    429: "past a limit; Retry-After says when to try again",
    503: "overloaded, or the database is away; Retry-After says when to try again",
}


class Described(msgspec.Struct, frozen=True):
    """An endpoint: bodies by media type, query parameters and answers with what they say."""

    path: str
    methods: tuple[HttpMethod, ...]
    summary: str
    answers: dict[int, str]
    refusal: tuple[str, Schema]
    """The media type and form of every answer from 400 on."""
    bodies: dict[str, str] = {}
    query: dict[str, str] = {}
    success: tuple[str, Schema] | None = None
    needs_key: bool = True
    json_body: Schema = Schema(type=OpenAPIType.OBJECT)
    """What a body in JSON is; others are text or bytes."""
    speaks_protobuf: bool = False
    """Answers come in the form of the request."""
    key_in_path: bool = False


_PRECISION = "unit of times: "
_DB = {"db": "not looked at: the key says where to"}
_POST = (HttpMethod.POST,)
ENDPOINTS = (
    Described(
        influx_write.V1_PATH,
        _POST,
        "InfluxDB v1: write lines. The ingest key is the password or token.",
        {
            204: "all is committed",
            400: "the good lines are committed, the others named",
            **_REFUSED,
        },
        _V1,
        _LINES,
        {**_DB, "precision": _PRECISION + "n, u, ms, s, m, h", "u": "user", "p": "ingest key"},
    ),
    Described(
        influx_write.V2_PATH,
        _POST,
        "InfluxDB v2: write lines. The ingest key is the token.",
        {
            204: "all is committed",
            400: "a line is malformed, nothing is committed",
            422: "some lines do not fit the datasource, the others are committed",
            **_REFUSED,
        },
        _V2,
        _LINES,
        {
            "org": "not looked at",
            "bucket": "not looked at: the key says where to",
            "precision": _PRECISION + "ns, us, ms, s",
        },
    ),
    Described(
        influx_write.V3_PATH,
        _POST,
        "InfluxDB v3: write lines. The ingest key is the token.",
        {204: "all is committed", 400: "bad lines, named", **_REFUSED},
        _V3,
        _LINES,
        {
            **_DB,
            "precision": _PRECISION + "auto, nanosecond, microsecond, millisecond, second",
            "accept_partial": "false: nothing is committed when a line is bad",
            "no_sync": "not looked at: the answer comes after the commit",
        },
    ),
    Described(
        QUERY_PATH,
        (HttpMethod.GET, HttpMethod.POST),
        "InfluxDB v1: CREATE DATABASE, which does nothing, and SHOW DATABASES.",
        {200: "results", 400: "another statement", **_REFUSED},
        _V1,
        query={"q": "statements, with ; between"},
        success=(JSON, _object(results=Schema(type=OpenAPIType.ARRAY))),
    ),
    Described(
        PING_PATH,
        (HttpMethod.GET,),
        "InfluxDB: the version, in the header X-Influxdb-Version.",
        {200: "with verbose", 204: "it runs"},
        _V1,
        query={"verbose": "true: the version in the body too"},
        success=(JSON, _object(version=_TEXT)),
        needs_key=False,
    ),
    Described(
        f"{PREFIX}{{key:str}}{SUFFIX}",
        _POST,
        "ThingsBoard: send telemetry. The ingest key stands in the path.",
        {200: "all is committed", 400: "not telemetry, or values that do not fit", **_REFUSED},
        _BOARD,
        {JSON: "values by key, {ts, values}, or an array of them"},
        json_body=Schema(
            any_of=[_READING, Schema(type=OpenAPIType.ARRAY, items=_READING)],
        ),
        key_in_path=True,
    ),
    Described(
        prometheus.PATH,
        _POST,
        "Prometheus: remote write 1.0. The ingest key is the bearer token or password.",
        {
            204: "all is committed",
            400: "not a write request, or samples that do not fit; the others are committed",
            415: "remote write 2.0",
            **_REFUSED,
        },
        (TEXT, _TEXT),
        {_PROTOBUF: "a WriteRequest as a snappy block"},
    ),
    Described(
        otlp.PATH,
        _POST,
        "OpenTelemetry, OTLP/HTTP: send metrics. The ingest key is the bearer token.",
        {
            200: "committed; partial_success counts the points that were rejected",
            400: "not an ExportMetricsServiceRequest",
            415: "another Content-Type",
            **_REFUSED,
        },
        _STATUS,
        dict.fromkeys((otlp.PROTOBUF, JSON), "an ExportMetricsServiceRequest"),
        success=(JSON, _object(partialSuccess=Schema(type=OpenAPIType.OBJECT))),
        speaks_protobuf=True,
    ),
)


def routes() -> list[Any]:
    """Return a handler for each endpoint; none is ever reached."""
    return [_handler(endpoint, method) for endpoint in ENDPOINTS for method in endpoint.methods]


def _handler(endpoint: Described, method: HttpMethod) -> Any:
    async def foreign() -> None:
        raise NotFound

    return route(
        endpoint.path,
        http_method=method,
        status_code=min(endpoint.answers),
        tags=["other clients"],
        description=endpoint.summary,
        summary=endpoint.summary.partition(":")[0],
        operation_id="".join(map(str.title, [*_WORD.findall(endpoint.path), method.value])),
        operation_class=_operation(endpoint, method),
        security=[{"ingest key": []}] if endpoint.needs_key and not endpoint.key_in_path else [{}],
    )(foreign)


def _operation(endpoint: Described, method: HttpMethod) -> type[Operation]:
    @dataclass
    class ForeignOperation(Operation):
        def __post_init__(self) -> None:
            self.parameters = [
                Parameter(name=name, param_in="query", description=text, schema=_TEXT)
                for name, text in endpoint.query.items()
            ]
            if "{key" in endpoint.path:
                key = Parameter(name="key", param_in="path", required=True, schema=_TEXT)
                self.parameters = [key, *self.parameters]
            self.responses = {
                str(status): _response(endpoint, status, text)
                for status, text in sorted(endpoint.answers.items())
            }
            if endpoint.bodies and method is HttpMethod.POST:
                content = {
                    media: OpenAPIMediaType(
                        schema=replace(
                            endpoint.json_body if media == JSON else _TEXT, description=text
                        )
                    )
                    for media, text in endpoint.bodies.items()
                }
                self.request_body = RequestBody(content=content, required=True)

    return ForeignOperation


def _response(endpoint: Described, status: int, text: str) -> OpenAPIResponse:
    form = endpoint.refusal if status >= 400 else endpoint.success if status == 200 else None
    content = {form[0]: OpenAPIMediaType(schema=form[1])} if form else None
    if content and endpoint.speaks_protobuf:
        content[otlp.PROTOBUF] = OpenAPIMediaType(schema=_TEXT)
    return OpenAPIResponse(description=text, content=content)
