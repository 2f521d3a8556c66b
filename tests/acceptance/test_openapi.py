"""The document that describes the API: every route of the contract is in it and says what it takes."""

import base64
import hashlib
import time
from typing import Any

import cramjam
import pytest
from support.server import RunningServer

from ingest.foreign.prometheus_messages import WriteRequest

pytestmark = pytest.mark.one_home

ROUTES = {
    "/ingest/{datasource_id}": {"post"},
    "/write": {"post"},
    "/api/v2/write": {"post"},
    "/api/v3/write_lp": {"post"},
    "/query": {"get", "post"},
    "/ping": {"get"},
    "/api/v1/{key}/telemetry": {"post"},
    "/api/v1/write": {"post"},
    "/v1/metrics": {"post"},
    "/health": {"get"},
    "/metrics": {"get"},
    "/v1/datasources": {"get", "post"},
    "/v1/datasources/{datasource_id}": {"get", "patch", "delete"},
    "/v1/datasources/{datasource_id}/devices": {"get"},
    "/v1/datasources/{datasource_id}/readings": {"get", "delete"},
    "/v1/datasources/{datasource_id}/export": {"get"},
    "/v1/datasources/{datasource_id}/data-keys/{key}": {"patch"},
    "/v1/datasources/{datasource_id}/keys": {"get", "post"},
    "/v1/datasources/{datasource_id}/keys/{key_id}": {"delete"},
    "/v1/datasources/{datasource_id}/keys/{key_id}/rotate": {"post"},
}


def series(at_ms: int) -> bytes:
    """A write request of Prometheus."""
    message = WriteRequest()
    one = message.timeseries.add()
    one.labels.add(name="__name__", value="up")
    one.samples.add(value=1.0, timestamp=at_ms)
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))


def test_every_route_is_described(server: RunningServer) -> None:
    answer = server.client.get("/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["openapi"].startswith("3.")
    for path, methods in ROUTES.items():
        assert methods <= document["paths"][path].keys(), path
        for method in methods:
            operation = document["paths"][path][method]
            assert operation["summary"] or operation["description"]
            assert any(code.startswith("2") for code in operation["responses"])
    deletion = document["paths"]["/v1/datasources/{datasource_id}/readings"]["delete"]
    named = {parameter["name"] for parameter in deletion["parameters"]}
    assert {"from", "to", "device", "key"} <= named


def test_other_clients_are_described_as_they_are_answered(server: RunningServer) -> None:
    document = server.client.get("/openapi.json").json()
    made = server.datasource()
    token = {"Authorization": f"Bearer {made.key}"}
    now = time.time_ns() // 10**6
    good: dict[str, tuple[str, Any, int]] = {
        "/write": ("text/plain", "m f=1", 204),
        "/api/v2/write": ("text/plain", "m f=1", 204),
        "/api/v3/write_lp": ("text/plain", "m f=1", 204),
        "/query": ("application/json", b"", 200),
        f"/api/v1/{made.key}/telemetry": ("application/json", '{"a": 1}', 200),
        "/v1/metrics": ("application/json", "{}", 200),
        "/api/v1/write": ("application/x-protobuf", series(now), 204),
    }
    for path, (media, body, status) in good.items():
        described = document["paths"][path.replace(made.key, "{key}")]["post"]
        in_path = made.key in path
        assert described["security"] == ([{}] if in_path else [{"ingest key": []}])
        if path != "/query":
            assert media in described["requestBody"]["content"]
        query = {"q": "SHOW DATABASES"} if path == "/query" else {}
        for key, sent, expected in ((token, body, status), ({}, body, 401), (token, b"\xff", 400)):
            if path == "/query" and expected == 400:
                query = {"q": "DROP DATABASE x"}
            if made.key in path and expected == 401:
                continue
            headers = {**key, "Content-Type": media}
            answer = server.client.post(path, content=sent, headers=headers, params=query)
            assert answer.status_code == expected, (path, answer.text)
            content = described["responses"][str(expected)].get("content", {})
            told = answer.headers.get("content-type", "").partition(";")[0]
            assert (told in content or "x-protobuf" in told) if content else not answer.content
            if "json" in told:
                form = content[told]["schema"]
                assert answer.json().keys() <= form["properties"].keys()


def test_the_documentation_is_a_page_of_its_own(server: RunningServer) -> None:
    answer = server.client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{hashed}'" in policy
    assert "style=" not in answer.text
    assert "https://" not in answer.text  # nothing from elsewhere: it works without the internet
