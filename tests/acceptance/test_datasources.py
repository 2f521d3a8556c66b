"""The life of a datasource: created, listed, changed, emptied in part, deleted; and who may see it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from support.server import ADMIN_KEY, Datasource, RunningServer
from support.stored import learned, stored

T0 = 1_700_000_000
T0_US = T0 * 1_000_000


def make_key(server: RunningServer, *options: str) -> str:
    """Create a management key from the command line, while the server runs."""
    assert server.database_url is not None
    done = subprocess.run(
        [sys.executable, "-m", "twin", "keys", "create", "--name", "test", *options],
        env={**os.environ, "TWINFEED_DATABASE_URL": server.database_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def as_key(server: RunningServer, key: str) -> Callable[..., httpx.Response]:
    """Return a function that makes requests with a management key."""

    def ask(method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        return server.client.request(method, path, headers=headers, **options)

    return ask


def test_created_with_declared_keys(server: RunningServer) -> None:
    declared = [
        {"key": "temperature", "kind": "number", "unit": "°C", "label": "Temperature"},
        {"key": "state", "kind": "text"},
        {"key": "open"},
    ]
    answer = server.post(
        "/v1/datasources",
        {
            "name": "Pump line",
            "description": "three pumps",
            "timezone": "Europe/Berlin",
            "retention_days": 30,
            "data_keys": declared,
        },
    )
    assert answer.status_code == 201
    made = answer.json()
    assert made["ingest_url"].endswith(f"/ingest/{made['id']}")
    assert made["api_key"].startswith("tfi_")
    assert len(made["api_key"]) == 4 + 64
    assert (made["timezone"], made["retention_days"]) == ("Europe/Berlin", 30)
    created = datetime.fromisoformat(made["created_at"])
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60
    read = server.get(f"/v1/datasources/{made['id']}")
    assert read.status_code == 200
    assert made["api_key"] not in read.text
    assert "api_key" not in read.json()
    assert [(k["key"], k["kind"], k["unit"], k["label"]) for k in read.json()["data_keys"]] == [
        ("temperature", "number", "°C", "Temperature"),
        ("state", "text", None, None),
        ("open", None, None, None),
    ]


def test_what_it_has_learned(server: RunningServer) -> None:
    datasource = server.datasource()
    first, last = "2024-01-01T00:00:00Z", "2024-01-03T12:00:00Z"
    body = [
        {"ts": last, "a": 1, "device": "one"},
        {"ts": first, "a": 2, "device": "two"},
        {"ts": "2024-01-02T00:00:00Z", "b": True, "device": "one"},
    ]
    assert datasource.post(body).is_success
    for _ in range(4):  # either worker
        detail = datasource.detail()
        assert detail["readings_total"] == 3
        assert detail["last_reading_at"] == last
        assert [d["device"] for d in detail["devices"]] == ["one", "two"]
        assert [d["last_reading_at"] for d in detail["devices"]] == [last, first]
        keys = {k["key"]: k for k in detail["data_keys"]}
        assert (keys["a"]["first_seen"], keys["a"]["last_seen"]) == (first, last)
        assert keys["b"]["first_seen"] == keys["b"]["last_seen"] == "2024-01-02T00:00:00Z"


@pytest.mark.parametrize(
    "values",
    [
        {"ts": 1.5},
        {"device": 3, "z": 1},
        {"ts": "x", "z": 1},
        {"timestamp": True, "time": 2},
        {"values": 4},
        {"a.b": 1, "c": "on"},
    ],
)
def test_the_example_is_accepted_whatever_keys_are_called(
    server: RunningServer, values: dict[str, Any]
) -> None:
    datasource = server.datasource()
    assert datasource.post({"values": values}).json()["accepted"] == 1
    example = datasource.detail()["example"]["json"]
    answer = datasource.post(example)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1), answer.text
    assert {key["key"] for key in datasource.detail()["data_keys"]} == set(values)


def test_the_example_is_accepted(server: RunningServer) -> None:
    datasource = server.datasource()
    for _ in range(2):
        example = datasource.detail()["example"]
        assert datasource.post(example["json"]).json()["accepted"] == 1
        assert datasource.post(
            {"s": "it's", "b": False, "n": 1, "deep": {"er": 2}, "device": "d'1"}
        ).is_success
    command = datasource.detail()["example"]["curl"]
    assert command.startswith("curl ")
    ran = subprocess.run(
        ["sh", "-c", command + " -s"],
        env={**os.environ, "TWINFEED_KEY": datasource.key},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert '"accepted":1' in ran.stdout, ran


def test_the_list_has_pages(own_server: RunningServer) -> None:
    names = [f"datasource {i}" for i in range(25)]
    for name in names:
        own_server.datasource(name)
    page = own_server.get("/v1/datasources").json()
    assert (page["total"], page["limit"], page["offset"], len(page["items"])) == (25, 20, 0, 20)
    found = []
    for offset in range(0, 30, 10):
        page = own_server.get("/v1/datasources", limit=10, offset=offset).json()
        assert (page["total"], page["limit"], page["offset"]) == (25, 10, offset)
        found += [item["name"] for item in page["items"]]
    assert found == names
    assert len(own_server.get("/v1/datasources", limit=100).json()["items"]) == 25
    assert not any("api_key" in item for item in page["items"])


def test_changed(server: RunningServer) -> None:
    datasource = server.datasource("before", description="old", retention_days=5)
    url = f"/v1/datasources/{datasource.id}"
    answer = server.patch(url, {"name": "after", "description": None, "timezone": "Asia/Tokyo"})
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["name"], changed["description"], changed["timezone"]) == (
        "after",
        None,
        "Asia/Tokyo",
    )
    assert changed["retention_days"] == 5
    assert changed.keys() == datasource.detail().keys()
    assert server.patch(url, {}).json()["name"] == "after"
    for wrong in ({"name": None}, {"name": ""}, {"timezone": "nowhere"}, {"id": "x"}):
        assert server.patch(url, wrong).status_code == 422
    assert server.patch(url, {"retention_days": None}).json()["retention_days"] is None


@pytest.mark.parametrize("key", ["plain", "a/b", "a/b/c.d", "with space", "ünï 🚀", "50%", "a?b#c"])
def test_a_data_key_is_changed_whatever_it_is_called(server: RunningServer, key: str) -> None:
    datasource = server.datasource()
    assert datasource.post({key: 1}).is_success
    path = "".join(f"%{byte:02x}" for byte in key.encode())
    url = f"/v1/datasources/{datasource.id}/data-keys/{path}"
    answer = server.patch(url, {"unit": "m/s", "label": "Speed"})
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert (changed["key"], changed["unit"], changed["label"]) == (key, "m/s", "Speed")
    assert datasource.detail()["data_keys"][0]["unit"] == "m/s"


def test_a_kind_changes_only_while_the_key_holds_nothing(server: RunningServer) -> None:
    datasource = server.datasource(data_keys=[{"key": "a", "kind": "text"}, {"key": "b"}])
    url = f"/v1/datasources/{datasource.id}/data-keys/"
    assert server.patch(url + "a", {"kind": "number"}).json()["kind"] == "number"
    for number in range(4):  # on either worker the new kind counts
        assert datasource.post({"ts": T0, "a": number}).is_success
        assert datasource.post({"a": "text"}).status_code == 422
    refused = server.patch(url + "a", {"kind": "text"})
    assert (refused.status_code, refused.json()["error"]) == (409, "CONFLICT")
    assert server.patch(url + "a", {"kind": "number"}).status_code == 200
    gone = server.delete(f"/v1/datasources/{datasource.id}/readings", key="a")
    assert gone.status_code == 204
    assert server.patch(url + "a", {"kind": "text"}).status_code == 200
    for text in ("x", "y", "x", "y"):
        assert datasource.post({"ts": T0, "a": text}).is_success
    assert stored(datasource) == {("", T0_US): {"a": "y"}}
    assert server.patch(url + "absent", {"unit": "x"}).status_code == 404
    assert server.patch(url + "b", {"kind": "color"}).status_code == 422
    assert server.patch(url + "b", {"key": "c"}).status_code == 422


def test_devices_have_pages(server: RunningServer) -> None:
    datasource = server.datasource()
    names = [f"d{i:03}" for i in range(130)]
    assert datasource.post([{"a": 1, "device": name} for name in names]).is_success
    detail = datasource.detail()
    assert [d["device"] for d in detail["devices"]] == names[:100]
    found: list[str] = []
    while True:
        page = server.get(
            f"/v1/datasources/{datasource.id}/devices", limit=50, offset=len(found)
        ).json()
        assert page["total"] == 130
        if not page["items"]:
            break
        found += [item["device"] for item in page["items"]]
    assert found == names


@pytest.fixture
def filled(server: RunningServer) -> Datasource:
    """Two devices with ten readings each, a second apart, of a key on page 0 and one on page 1."""
    datasource = server.datasource()
    wide = {f"k{i}": 1 for i in range(16)}
    body = [
        {"ts": T0 + i, "device": device, **wide, "far": i} for device in "xy" for i in range(10)
    ]
    assert datasource.post(body).json()["accepted"] == 20
    return datasource


@pytest.mark.parametrize(
    ("query", "gone"),
    [
        ({}, {(d, i) for d in "xy" for i in range(10)}),
        ({"from": "2023-11-14T22:13:25Z"}, {(d, i) for d in "xy" for i in range(5, 10)}),
        ({"to": str(T0 + 3)}, {(d, i) for d in "xy" for i in range(3)}),
        (
            {"from": str(T0 + 2), "to": str(T0 + 4), "device": "x"},
            {("x", 2), ("x", 3)},
        ),
        ({"device": "y"}, {("y", i) for i in range(10)}),
        ({"from": str(T0 + 100)}, set()),
        ({"from": str(T0), "to": str(T0)}, set()),
    ],
)
def test_some_readings_are_deleted(
    server: RunningServer, filled: Datasource, query: dict[str, str], gone: set[tuple[str, int]]
) -> None:
    before = filled.data("single", key="far", agg="count", range="100w", at=str(T0 + 10))
    answer = server.delete(f"/v1/datasources/{filled.id}/readings", **query)
    assert (answer.status_code, answer.content) == (204, b"")
    left = {(device, us // 10**6 - T0) for device, us in stored(filled)}
    assert left == {(d, i) for d in "xy" for i in range(10)} - gone
    for _ in range(4):
        assert filled.detail()["readings_total"] == 20 - len(gone)
        after = filled.data("single", key="far", agg="count", range="100w", at=str(T0 + 10))
        assert (after == before) == (not gone)


@pytest.mark.parametrize("key", ["k3", "far"])
def test_some_values_are_deleted(server: RunningServer, filled: Datasource, key: str) -> None:
    query = {"key": key, "device": "x", "to": str(T0 + 5)}
    assert server.delete(f"/v1/datasources/{filled.id}/readings", **query).status_code == 204
    for (device, us), values in stored(filled).items():
        is_gone = device == "x" and us < T0_US + 5_000_000
        assert (key in values) == (not is_gone)
        assert len(values) == 17 - is_gone
    assert filled.detail()["readings_total"] == 20


def test_readings_go_with_their_last_value(server: RunningServer, filled: Datasource) -> None:
    assert filled.post([{"ts": T0 + 60 + i, "device": "x", "far": i} for i in range(5)]).is_success
    assert filled.detail()["readings_total"] == 25
    url = f"/v1/datasources/{filled.id}/readings"
    for key in ("far", *(f"k{i}" for i in range(16))):
        assert server.delete(url, key=key).status_code == 204
        assert len(stored(filled)) == filled.detail()["readings_total"] == 20 * (key != "k15")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"from": "yesterday"}, 422),
        ({"from": str(T0 + 1), "to": str(T0)}, 422),
        ({"device": "nobody"}, 404),
        ({"key": "nothing"}, 404),
        ({"keys": "k3"}, 422),
        ({"device": ["x", "y"]}, 422),
    ],
)
def test_a_deletion_that_makes_no_sense(
    server: RunningServer, filled: Datasource, query: dict[str, Any], status: int
) -> None:
    answer = server.delete(f"/v1/datasources/{filled.id}/readings", **query)
    assert answer.status_code == status
    assert learned(filled)[2] == 20


def test_deleted_readings_can_be_sent_again(server: RunningServer, filled: Datasource) -> None:
    for turn in range(3):
        deleted = server.delete(f"/v1/datasources/{filled.id}/readings", device="x")
        assert deleted.status_code == 204
        body = [{"ts": T0 + i, "device": "x", "k0": turn} for i in range(5)]
        assert filled.post(body).is_success
        assert filled.detail()["readings_total"] == 15
        assert filled.data("single", key="k0", device="x", at=str(T0 + 10))["value"] == turn


def test_a_deleted_datasource_is_gone_everywhere(server: RunningServer) -> None:
    datasource = server.datasource()
    url = f"/v1/datasources/{datasource.id}"
    assert all(datasource.post({"a": 1}).is_success for _ in range(8))  # every worker knows the key
    assert server.delete(url).status_code == 204
    deadline = time.monotonic() + 1
    with ThreadPoolExecutor(8) as pool:
        while True:
            statuses = set(pool.map(lambda _: fresh_post(datasource), range(16)))
            if statuses == {401} or time.monotonic() > deadline:
                break
    assert statuses == {401}
    for path in ("", "/devices", "/keys"):
        assert server.get(url + path).status_code == 404
    assert server.get("/v1/data/single", datasource_id=datasource.id, key="a").status_code == 404
    assert server.patch(url, {"name": "x"}).status_code == 404
    assert server.delete(url).status_code == 404
    assert server.delete(url + "/readings").status_code == 404
    assert server.post(url + "/keys", {"name": "x"}).status_code == 404
    listed = server.get("/v1/datasources", limit=100).json()["items"]
    assert datasource.id not in {item["id"] for item in listed}


def test_the_test_environment_never_sees_live_data(server: RunningServer) -> None:
    live = server.datasource("live")
    assert live.post({"a": 1}).is_success
    key = make_key(server, "--environment", "test", "--scope", "admin")
    assert key.startswith("tf_test_")
    ask = as_key(server, key)
    assert ask("GET", "/v1/datasources").json() == {
        "items": [],
        "total": 0,
        "limit": 20,
        "offset": 0,
    }
    url = f"/v1/datasources/{live.id}"
    for method, path in (
        ("GET", url),
        ("PATCH", url),
        ("DELETE", url),
        ("GET", url + "/devices"),
        ("GET", url + "/keys"),
        ("POST", url + "/keys"),
        ("DELETE", url + "/readings"),
        ("PATCH", url + "/data-keys/a"),
        ("GET", f"/v1/data/single?datasource_id={live.id}&key=a"),
    ):
        body = {"name": "x"} if method != "GET" and "data-keys" not in path else {}
        options = {} if method in ("GET", "DELETE") else {"json": body}
        assert ask(method, path, **options).status_code == 404, path
    made = ask("POST", "/v1/datasources", json={"name": "test"}).json()
    assert made["environment"] == "test"
    assert server.get(f"/v1/datasources/{made['id']}").status_code == 404
    assert learned(live)[2] == 1


def test_scopes(server: RunningServer) -> None:
    datasource = server.datasource()
    url = f"/v1/datasources/{datasource.id}"
    reads = [("GET", url), ("GET", "/v1/datasources"), ("GET", url + "/keys")]
    writes: list[tuple[str, str, Any]] = [
        ("POST", "/v1/datasources", {"name": "x"}),
        ("PATCH", url, {"name": "y"}),
        ("POST", url + "/keys", {"name": "k"}),
        ("DELETE", url + "/readings", None),
    ]
    for scope, reading, writing in (("read", 200, 403), ("write", 403, 200)):
        ask = as_key(server, make_key(server, "--scope", scope))
        for method, path in reads:
            assert ask(method, path).status_code == reading
        for method, path, body in writes:
            status = ask(method, path, **({} if body is None else {"json": body})).status_code
            assert status == 403 if writing == 403 else status < 300, path
    refused = as_key(server, make_key(server, "--scope", "read"))("DELETE", url)
    assert refused.json()["error"] == "FORBIDDEN"
    assert ADMIN_KEY not in refused.text


def fresh_post(datasource: Datasource) -> int:
    """Post on a new connection, which may meet any worker."""
    headers = {"Authorization": datasource.key}
    return httpx.post(datasource.url, json={"a": 1}, headers=headers, timeout=10).status_code
