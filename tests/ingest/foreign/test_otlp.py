"""OpenTelemetry metrics: what a point becomes, and that damaged requests are refused."""

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from ingest.foreign.otlp import JSON, PROTOBUF, decode
from ingest.foreign.otlp_points import readings_of
from twin.errors import TooLarge, TwinfeedError, Unreadable, UnsupportedMedia

NOW_US = 1_700_000_000_000_000
T_NS = "1699999999123456789"
T_US = 1_699_999_999_123_456


def text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def document(*metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": [text("service.name", "plant"), text("x", "outer")]},
                "scopeMetrics": [
                    {
                        "scope": {"name": "lib", "attributes": [text("x", "scope")]},
                        "metrics": list(metrics),
                    }
                ],
            }
        ]
    }


def point(**fields: Any) -> dict[str, Any]:
    return {"timeUnixNano": T_NS, "attributes": [text("room", "a")], **fields}


METRICS: list[dict[str, Any]] = [
    {"name": "g", "gauge": {"dataPoints": [point(asDouble=1.5), point(asInt="7")]}},
    {"name": "s", "sum": {"isMonotonic": True, "dataPoints": [point(asInt="-3")]}},
    {
        "name": "h",
        "histogram": {
            "dataPoints": [
                point(
                    count="6",
                    sum=10.5,
                    min=0.5,
                    max=5,
                    bucketCounts=["1", "2", "3"],
                    explicitBounds=[1, 2.5],
                )
            ]
        },
    },
    {
        "name": "e",
        "exponentialHistogram": {
            "dataPoints": [point(count="4", sum=3, zeroCount="1", scale=2, positive={"offset": 1})]
        },
    },
    {
        "name": "q",
        "summary": {
            "dataPoints": [
                point(count="2", sum=4, quantileValues=[{"quantile": 0.99, "value": 3.5}])
            ]
        },
    },
]
REAL_JSON = json.dumps(document(*METRICS)).encode()
REAL = json_format.Parse(REAL_JSON, ExportMetricsServiceRequest()).SerializeToString()


def read(body: bytes, media: str) -> list[tuple[str, int, dict[str, Any]]]:
    found = readings_of(decode(body, media), NOW_US, 1000, 200)
    return [(r.device, r.ts_us, dict(r.values)) for r in found]


@pytest.mark.parametrize(("body", "media"), [(REAL_JSON, JSON), (REAL, PROTOBUF)])
def test_every_kind_of_metric_is_read_in_both_encodings(body: bytes, media: str) -> None:
    found = read(body, media)
    assert {(device, ts) for device, ts, _ in found} == {
        ("room=a,service.name=plant,x=scope", T_US)
    }
    assert [values for _, _, values in found] == [
        {"g": 1.5},
        {"g": 7.0},
        {"s": -3.0},
        {
            "h.count": 6,
            "h.sum": 10.5,
            "h.min": 0.5,
            "h.max": 5,
            "h.bucket.1": 1,
            "h.bucket.2.5": 2,
            "h.bucket.+Inf": 3,
        },
        {"e.count": 4, "e.sum": 3, "e.zero_count": 1},
        {"q.count": 2, "q.sum": 4, "q.quantile.0.99": 3.5},
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"boolValue": True}, "true"),
        ({"intValue": "5"}, "5"),
        ({"doubleValue": 0.5}, "0.5"),
        ({"bytesValue": "AQI="}, "0102"),
        ({"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "b"}]}}, "[1 b]"),
        ({"kvlistValue": {"values": [text("k", "v")]}}, "{k:v}"),
        ({}, ""),
    ],
)
def test_attributes_of_every_kind(value: dict[str, Any], shown: str) -> None:
    made = {"asInt": 1, "attributes": [{"key": "a", "value": value}]}
    metric = {"name": "m", "gauge": {"dataPoints": [made]}}
    ((device, ts_us, _),) = read(json.dumps(document(metric)).encode(), JSON)
    assert device == f"a={shown},service.name=plant,x=scope"
    assert ts_us == NOW_US  # no time: that of receipt


def test_a_point_without_a_recorded_value_is_nothing() -> None:
    points = [point(flags=1), point(flags=1, asInt=5), point(asInt=6)]
    body = json.dumps(document({"name": "m", "gauge": {"dataPoints": points}})).encode()
    assert [values for _, _, values in read(body, JSON)] == [{"m": 6}]


def test_points_are_bounded() -> None:
    metric = {"name": "m", "gauge": {"dataPoints": [point(asInt=1)] * 10}}
    message = decode(json.dumps(document(metric)).encode(), JSON)
    assert len(readings_of(message, NOW_US, 10, 200)) == 10
    with pytest.raises(TooLarge):
        readings_of(message, NOW_US, 9, 200)


def test_a_number_that_is_not_finite_is_left_to_be_judged() -> None:
    points = [point(asDouble="NaN"), point(asDouble="Infinity")]
    body = json.dumps(document({"name": "m", "sum": {"dataPoints": points}})).encode()
    assert not any(math.isfinite(values["m"]) for _, _, values in read(body, JSON))


@pytest.mark.parametrize("media", ["", "text/plain", "application/grpc"])
def test_another_type_is_not_supported(media: str) -> None:
    with pytest.raises(UnsupportedMedia):
        decode(REAL, media)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b"\xff",
        b"\x00",
        b'{"resourceMetrics": 5}',
        b'{"resourceMetrics": [null]}',
        b'{"a":' * 5000,
        b"[" * 100_000,
        b"1" * 10_000,
        REAL_JSON.replace(b'"7"', b'"x"'),
        REAL_JSON.replace(b"1.5", b"1e999"),
        REAL_JSON[:-1],
    ],
)
def test_json_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(TwinfeedError) as refused:
        decode(body, JSON)
    assert refused.value.status == 400


@given(st.binary(max_size=200), st.sampled_from([JSON, PROTOBUF]))
def test_no_bytes_are_more_than_refused(body: bytes, media: str) -> None:
    with suppress(Unreadable, TooLarge):
        read(body, media)


@given(st.data(), st.sampled_from([(REAL_JSON, JSON), (REAL, PROTOBUF)]))
def test_damaged_requests_are_no_more_than_refused(
    data: st.DataObject, real: tuple[bytes, str]
) -> None:
    whole, media = real
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    for body in (bytes(damaged), bytes(damaged[:cut])):
        with suppress(Unreadable, TooLarge):
            read(body, media)
