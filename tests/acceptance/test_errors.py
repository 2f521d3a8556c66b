"""Every error has one shape, says what is wrong, and shows nothing of the inside."""

from typing import Any
from uuid import uuid4

import pytest
from support.server import RunningServer
from support.wire import Wire, request

ABSENT = "00000000-0000-4000-8000-000000000000"
SECRETS = ("Traceback", "SELECT", "psycopg", "/site-packages", 'File "', "tf_live_a1")


def check(answer: Any, status: int) -> dict[str, Any]:
    """Check an error's shape and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = answer.json()
    assert {"error", "message", "detail", "status"} <= told.keys()
    assert told.keys() <= {"error", "message", "detail", "status", "errors", "retry_after"}
    assert told["error"] == told["error"].upper()
    assert told["message"] == told["detail"] != ""
    assert told["status"] == status
    assert not any(secret in answer.text for secret in SECRETS)
    return told


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/v1",
        "/v1/nothing/here",
        "/ingest",
        "/ingest/a/b",
        "/v1/datasources/not-a-uuid",
        f"/v1/datasources/{ABSENT}",
        f"/v1/datasources/{ABSENT}/devices",
        f"/v1/datasources/{ABSENT}/keys",
        f"/v1/widgets/{ABSENT}",
        f"/v1/alerts/{ABSENT}",
        "/%00",
        "/%ff%fe",
        "/%zz",
        "/..%2f..%2fetc/passwd",
        "/v1/datasources/%00",
        "/" + "a" * 5000,
        "/💥",
    ],
)
def test_what_is_not_there(server: RunningServer, path: str) -> None:
    assert check(server.get(path), 404)["error"] == "NOT_FOUND"


@pytest.mark.parametrize("name", ["from", "to", "state", "limit", "offset", "datasource_id"])
def test_a_query_parameter_is_named_as_the_client_calls_it(
    server: RunningServer, name: str
) -> None:
    told = check(server.get("/v1/alerts/events", **{name: "?"}), 422)
    assert [item["key"] for item in told["errors"]] == [name]
    assert f"{name}: " in told["message"]


@pytest.mark.parametrize("target", ["/a b", "/%", "/%u0041", "/a\\b", "/a?%", "/a//b"])
def test_a_malformed_target_is_a_client_error(server: RunningServer, target: str) -> None:
    with Wire(server.url) as wire:
        wire.send(request("GET", target))
        answer = wire.read()
    assert answer is None or 400 <= answer.status < 500
    assert server.client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/ingest/{id}", {"POST"}),
        ("PUT", "/ingest/{id}", {"POST"}),
        ("DELETE", "/ingest/{id}", {"POST"}),
        ("DELETE", "/health", {"GET"}),
        ("POST", "/metrics", {"GET"}),
        ("PUT", "/v1/datasources", {"GET", "POST"}),
        ("POST", "/v1/datasources/{id}", {"GET", "PATCH", "DELETE"}),
        ("GET", "/v1/datasources/{id}/data-keys/a", {"PATCH"}),
        ("GET", "/v1/datasources/{id}/keys/k/rotate", {"POST"}),
    ],
)
def test_a_wrong_method(server: RunningServer, method: str, path: str, allowed: set[str]) -> None:
    path = path.format(id=server.datasource().id)
    answer = server.client.request(method, path, headers=server.auth)
    assert check(answer, 405)["error"] == "METHOD_NOT_ALLOWED"
    assert allowed <= {name.strip() for name in answer.headers["allow"].split(",")}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer tf_live_" + "0" * 64},
        {"Authorization": "Bearer"},
        {"Authorization": "tf_live_" + "a1" * 32},
        {"Authorization": "Basic YTpi"},
        {"X-API-Key": "nonsense"},
    ],
)
def test_without_a_valid_key(server: RunningServer, headers: dict[str, str]) -> None:
    for path in ("/v1/datasources", f"/v1/datasources/{uuid4()}", "/v1/widgets", "/v1/alerts"):
        answer = server.client.get(path, headers=headers)
        check(answer, 401)
        assert "www-authenticate" in answer.headers
    answer = server.client.post("/v1/datasources", json={"name": "x"}, headers=headers)
    check(answer, 401)


def test_the_management_key_in_either_header(server: RunningServer) -> None:
    for headers in (
        {"Authorization": f"Bearer {server.admin_key}"},
        {"authorization": f"bearer {server.admin_key}"},
        {"X-API-Key": server.admin_key},
    ):
        assert server.client.get("/v1/datasources", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b'{"name": "\xff"}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"name": ""}', 422),
        (b'{"name": 5}', 422),
        (b'{"name": "a\\u0000b"}', 422),
        (b'{"name": "' + b"x" * 201 + b'"}', 422),
        (b'{"name": "x", "unknown": 1}', 422),
        (b'{"name": "x", "timezone": "Mars/Olympus"}', 422),
        (b'{"name": "x", "timezone": "../../etc/passwd"}', 422),
        (b'{"name": "x", "timezone": ""}', 422),
        (b'{"name": "x", "timezone": "\\u0000"}', 422),
        (b'{"name": "x", "retention_days": 0}', 422),
        (b'{"name": "x", "retention_days": 1e999}', 400),
        (b'{"name": "x", "description": "\\u0000"}', 422),
        (b'{"name": "x", "data_keys": [{"key": ""}]}', 422),
        (b'{"name": "x", "data_keys": [{"key": "\\u0000"}]}', 422),
        (b'{"name": "x", "data_keys": [{"key": "a", "unit": "\\u0000"}]}', 422),
        (b'{"name": "x", "data_keys": [{"key": "a"}, {"key": "a"}]}', 422),
        (b'{"name": "x", "data_keys": [{"key": "a", "kind": "color"}]}', 422),
    ],
)
def test_a_body_that_is_wrong(server: RunningServer, body: bytes, status: int) -> None:
    before = server.get("/v1/datasources").json()["total"]
    answer = server.client.post(
        "/v1/datasources", content=body, headers={**server.auth, "Content-Type": "application/json"}
    )
    check(answer, status)
    assert server.get("/v1/datasources").json()["total"] == before


def test_a_management_body_is_bounded(server: RunningServer) -> None:
    body = b'{"name": "' + b"x" * (17 * 2**20) + b'"}'
    answer = server.client.post("/v1/datasources", content=body, headers=server.auth)
    check(answer, 413)
    assert str(16 * 2**20) in answer.json()["message"]


def test_an_early_answer_reaches_a_client_that_sends_on(server: RunningServer) -> None:
    """Most clients read nothing before their whole body has gone."""
    size = 24 * 2**20
    head = (
        f"POST /v1/datasources HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n"
        f"Authorization: Bearer {server.admin_key}\r\n\r\n"
    )
    for part_bytes in (2**12, 2**16, 2**20, 3 * 2**20, size):
        with Wire(server.url) as wire:
            wire.send(head.encode())
            for _ in range(size // part_bytes):
                wire.send(b"x" * part_bytes)
            answer = wire.read()
            assert answer is not None
            assert answer.status == 413


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "x"),
        ("limit", "1.5"),
        ("limit", ""),
        ("offset", "-1"),
        ("offset", "99999999999"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/datasources", "/v1/datasources/{id}/devices"])
def test_paging_has_bounds(server: RunningServer, path: str, name: str, value: str) -> None:
    answer = server.get(path.format(id=server.datasource().id), **{name: value})
    assert check(answer, 422)["errors"][0]["key"] == name


def test_strange_ids_of_keys(server: RunningServer) -> None:
    base = f"/v1/datasources/{server.datasource().id}"
    for key_id in ("nothing", "%20", "a%2Fb", "💥", "' OR 1=1 --"):
        check(server.delete(f"{base}/keys/{key_id}"), 404)
    assert server.delete(f"{base}/keys/%00").status_code in (404, 422)
    assert server.post(f"{base}/keys/%00/rotate").status_code in (404, 422)


def test_nothing_of_a_key_is_ever_logged(own_server: RunningServer) -> None:
    datasource = own_server.datasource()
    datasource.post({"a": 1})
    datasource.post("{")
    own_server.client.get(f"/ingest/{datasource.key}", headers=own_server.auth)
    own_server.client.get(f"/v1/{own_server.admin_key}?token={datasource.key}")
    log = own_server.log.read_text()
    assert datasource.key not in log
    assert own_server.admin_key not in log


def test_a_parameter_that_is_missing_is_named(server: RunningServer) -> None:
    answer = server.get("/v1/stream")
    check(answer, 422)
    assert answer.json()["errors"] == [{"message": "widgets is needed", "key": "widgets"}]
