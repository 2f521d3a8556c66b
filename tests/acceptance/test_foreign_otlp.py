"""OpenTelemetry's SDK with its OTLP/HTTP exporter, and the answers on the wire."""

import gzip
import json
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from support.server import Datasource, RunningServer
from support.stored import NOTHING, learned, stored

T_NS = 1_700_000_000_000_000_000
T_US = T_NS // 1000
JSON, PROTOBUF = "application/json", "application/x-protobuf"


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_sdk_exports(server: RunningServer, compression: Compression) -> None:
    datasource = server.datasource()
    exporter = OTLPMetricExporter(
        f"{server.url}/v1/metrics",
        headers={"Authorization": f"Bearer {datasource.key}"},
        compression=compression,
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    view = View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation())
    resource = Resource({"service.name": "plant", "line": 3})
    provider = MeterProvider([reader], resource, views=[view], shutdown_on_exit=False)
    meter = provider.get_meter("test")
    meter.create_counter("parts").add(5, {"machine": "a"})
    meter.create_counter("parts").add(7, {"machine": "b"})
    meter.create_gauge("temperature").set(21.5, {"machine": "a"})
    histogram = meter.create_histogram("duration", explicit_bucket_boundaries_advisory=[1, 5])
    for seconds in (0.5, 2, 3, 10):
        histogram.record(seconds, {"machine": "a"})
    meter.create_histogram("size").record(4, {"machine": "a"})
    assert reader.force_flush()
    held: dict[str, dict[str, Any]] = {}
    for (device, _), values in stored(datasource).items():
        held.setdefault(device, {}).update(values)
    provider.shutdown()
    assert held == {
        "line=3,machine=a,service.name=plant": {
            "parts": 5,
            "temperature": 21.5,
            "duration.count": 4,
            "duration.sum": 15.5,
            "duration.min": 0.5,
            "duration.max": 10,
            "duration.bucket.1": 1,
            "duration.bucket.5": 2,
            "duration.bucket.+Inf": 1,
            "size.count": 1,
            "size.sum": 4,
            "size.min": 4,
            "size.max": 4,
            "size.zero_count": 0,
        },
        "line=3,machine=b,service.name=plant": {"parts": 7},
    }


def gauge(*values: float | str) -> dict[str, Any]:
    points = [{"timeUnixNano": str(T_NS + i), "asDouble": v} for i, v in enumerate(values)]
    metrics = [{"name": "g", "gauge": {"dataPoints": points}}]
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}


def send(datasource: Datasource, media: str, body: bytes, **headers: str) -> httpx.Response:
    sent = {"Authorization": f"Bearer {datasource.key}", "Content-Type": media}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return datasource.server.client.post("/v1/metrics", content=body, headers=sent)


def encoded(document: dict[str, Any], media: str) -> bytes:
    text = json.dumps(document)
    if media == JSON:
        return text.encode()
    return bytes(json_format.Parse(text, ExportMetricsServiceRequest()).SerializeToString())


def decoded(answer: httpx.Response, message: Any) -> Any:
    """The answer's message: it must be in the request's encoding."""
    media = answer.request.headers["Content-Type"]
    assert answer.headers["Content-Type"] == media
    if media == JSON:
        return json_format.Parse(answer.content, message)
    message.ParseFromString(answer.content)
    return message


@pytest.mark.parametrize("media", [JSON, PROTOBUF])
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_success_is_an_empty_response(server: RunningServer, media: str, encoding: str) -> None:
    datasource = server.datasource()
    body = encoded(gauge(1.5), media)
    packed = gzip.compress(body) if encoding else body
    answer = send(datasource, media, packed, Content_Encoding=encoding or "identity")
    assert answer.status_code == 200
    assert decoded(answer, ExportMetricsServiceResponse()) == ExportMetricsServiceResponse()
    assert stored(datasource) == {("", T_US): {"g": 1.5}}


@pytest.mark.parametrize("media", [JSON, PROTOBUF])
def test_points_that_do_not_fit_are_counted(server: RunningServer, media: str) -> None:
    datasource = server.datasource(data_keys=[{"key": "h", "kind": "text"}])
    answer = send(datasource, media, encoded(gauge(1.5, "NaN", "Infinity"), media))
    assert answer.status_code == 200
    partial = decoded(answer, ExportMetricsServiceResponse()).partial_success
    assert partial.rejected_data_points == 2
    assert "g: must be a finite number" in partial.error_message
    assert stored(datasource) == {("", T_US): {"g": 1.5}}


@pytest.mark.parametrize("media", [JSON, PROTOBUF])
def test_errors_are_a_status(server: RunningServer, media: str) -> None:
    datasource = server.datasource()
    for body, headers, http, code in (
        (b"\xff", {}, 400, 3),
        (b"plain", {"Content_Encoding": "gzip"}, 400, 3),
        (gzip.compress(bytes(9 * 2**20)), {"Content_Encoding": "gzip"}, 413, 8),
        (b"", {"Authorization": "Bearer tfi_" + "0" * 64}, 401, 16),
        (b"", {"Content_Encoding": "br"}, 415, 3),
    ):
        answer = send(datasource, media, body, **headers)
        assert answer.status_code == http
        status = decoded(answer, Status())
        assert status.code == code
        assert status.message
    assert learned(datasource) == NOTHING


def test_another_type_is_a_415(server: RunningServer) -> None:
    datasource = server.datasource()
    assert send(datasource, "text/plain", b"x").status_code == 415
