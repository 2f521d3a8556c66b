"""Management keys: made, listed, changed, rotated, ended; what each may, and what it may never."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from support.access import Ask, as_key, made
from support.server import ADMIN_KEY, RunningServer, start_server

from twin.db.pool import conninfo

SHOWN = {
    "key_id",
    "tenant_id",
    "name",
    "scopes",
    "environment",
    "is_active",
    "rate_limit",
    "created_at",
    "expires_at",
    "last_used_at",
    "usage_count",
}


def new_key(ask: Ask, **fields: Any) -> dict[str, Any]:
    return made(ask("POST", "/v1/keys", {"name": "test", **fields}))


def statuses(server: RunningServer, key: str) -> set[int]:
    """The answers of all workers to a request with a key."""

    def one(_: int) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.get(f"{server.url}/v1/datasources", headers=headers, timeout=10).status_code

    with ThreadPoolExecutor(8) as pool:
        return set(pool.map(one, range(12)))


def soon(server: RunningServer, key: str, status: int) -> None:
    deadline = time.monotonic() + 1
    while (found := statuses(server, key)) != {status}:
        assert time.monotonic() < deadline, found


def until(check: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def admin(server: RunningServer) -> Ask:
    return as_key(server, ADMIN_KEY)


def test_created_listed_and_read(server: RunningServer, admin: Ask) -> None:
    key = new_key(admin, name="dashboard")
    assert key.keys() == SHOWN | {"api_key"}
    assert key["api_key"].startswith("tf_live_")
    assert len(key["api_key"]) == 8 + 64
    assert key["scopes"] == ["read", "write"]
    assert (key["rate_limit"], key["environment"], key["expires_at"]) == (1000, "live", None)
    assert admin("GET", f"/v1/keys/{key['key_id']}").json() == {
        k: v for k, v in key.items() if k != "api_key"
    }
    listed = admin("GET", "/v1/keys").json()
    assert listed.keys() == {"keys", "total"}
    assert listed["total"] == len(listed["keys"])
    shown = next(k for k in listed["keys"] if k["key_id"] == key["key_id"])
    assert shown == {k: v for k, v in key.items() if k != "api_key"}
    first = next(k for k in listed["keys"] if k["name"] == "First admin key")
    assert first["rate_limit"] is None
    assert statuses(server, key["api_key"]) == {200}
    page = admin("GET", "/v1/keys?limit=1&offset=1").json()
    assert [k["key_id"] for k in page["keys"]] == [listed["keys"][1]["key_id"]]
    assert page["total"] == listed["total"]
    assert admin("GET", "/v1/keys?limit=1001").status_code == 422


def test_usage_is_written_later(server: RunningServer, admin: Ask) -> None:
    key = new_key(admin)
    assert (key["usage_count"], key["last_used_at"]) == (0, None)
    for _ in range(3):
        assert statuses(server, key["api_key"]) == {200}
    url = f"/v1/keys/{key['key_id']}"
    until(lambda: admin("GET", url).json()["usage_count"] == 36)  # both workers have told
    assert admin("GET", url).json()["last_used_at"] >= key["created_at"]


def test_disabled_and_enabled(server: RunningServer, admin: Ask) -> None:
    key = new_key(admin)
    url = f"/v1/keys/{key['key_id']}"
    assert statuses(server, key["api_key"]) == {200}
    assert admin("PATCH", url, {"is_active": False}).json()["is_active"] is False
    soon(server, key["api_key"], 401)
    assert admin("PATCH", url, {"is_active": True}).status_code == 200
    soon(server, key["api_key"], 200)
    changed = admin("PATCH", url, {"name": "n", "rate_limit": None, "scopes": ["write"]}).json()
    assert (changed["name"], changed["rate_limit"], changed["scopes"]) == ("n", None, ["write"])
    soon(server, key["api_key"], 403)
    assert admin("DELETE", url).status_code == 204
    soon(server, key["api_key"], 401)
    for method in ("GET", "DELETE"):
        assert admin(method, url).status_code == 404
    assert admin("PATCH", url, {}).status_code == 404
    assert admin("POST", f"{url}/rotate").status_code == 404


def test_expiry(server: RunningServer, admin: Ask) -> None:
    key = new_key(admin, expires_in_days=2)
    assert key["expires_at"] > key["created_at"]
    url = f"/v1/keys/{key['key_id']}"
    assert admin("PATCH", url, {"expires_in_days": None}).json()["expires_at"] is None
    admin("PATCH", url, {"expires_in_days": 1})
    assert statuses(server, key["api_key"]) == {200}
    assert server.database_url is not None
    with psycopg.connect(conninfo(server.database_url)) as conn:
        conn.execute(
            "UPDATE management_keys SET expires_at = now() WHERE key_id = %s", [key["key_id"]]
        )
        conn.execute("SELECT tell('keys ')")
    soon(server, key["api_key"], 401)
    assert admin("PATCH", url, {"expires_in_days": 1}).status_code == 200
    soon(server, key["api_key"], 200)


def test_rotated(server: RunningServer, admin: Ask) -> None:
    key = new_key(admin, rate_limit=77)
    url = f"/v1/keys/{key['key_id']}/rotate"
    assert statuses(server, key["api_key"]) == {200}
    answer = admin("POST", url, {"grace_seconds": 3600})
    assert answer.status_code == 200
    second = answer.json()
    assert (second["key_id"], second["rate_limit"]) == (key["key_id"], 77)
    soon(server, second["api_key"], 200)
    assert statuses(server, key["api_key"]) == {200}
    third = admin("POST", url).json()
    soon(server, third["api_key"], 200)
    soon(server, second["api_key"], 401)
    assert admin("POST", url, {"grace_seconds": -1}).status_code == 422


@pytest.mark.parametrize("scope", ["read", "write"])
def test_without_admin_no_key_is_seen_or_made(
    server: RunningServer, admin: Ask, scope: str
) -> None:
    key = new_key(admin, scopes=[scope])
    ask = as_key(server, key["api_key"])
    url = f"/v1/keys/{key['key_id']}"
    assert ask("POST", "/v1/keys", {"name": "x", "scopes": [scope]}).status_code == 403
    assert ask("PATCH", url, {"scopes": ["admin"]}).status_code == 403
    for method, path in (("GET", "/v1/keys"), ("GET", url), ("DELETE", url)):
        assert ask(method, path).status_code == 403
    assert ask("POST", f"{url}/rotate").status_code == 403
    assert ask("GET", "/v1/audit").status_code == 403


def test_a_test_key_stays_in_its_environment(server: RunningServer, admin: Ask) -> None:
    live = new_key(admin)
    key = new_key(admin, scopes=["admin"], environment="test")
    assert key["api_key"].startswith("tf_test_")
    ask = as_key(server, key["api_key"])
    assert ask("POST", "/v1/keys", {"name": "x", "environment": "live"}).status_code == 403
    own = new_key(ask)
    assert own["environment"] == "test"
    assert own["api_key"].startswith("tf_test_")
    assert {k["environment"] for k in ask("GET", "/v1/keys").json()["keys"]} == {"test"}
    url = f"/v1/keys/{live['key_id']}"
    for method, path, body in (
        ("GET", url, None),
        ("DELETE", url, None),
        ("PATCH", url, {"is_active": False}),
        ("POST", f"{url}/rotate", None),
    ):
        assert ask(method, path, body).status_code == 404
    assert (
        admin("DELETE", f"/v1/keys/{own['key_id']}").status_code == 204
    )  # a live admin manages both


def test_the_last_admin_key_stays(database_url: str) -> None:
    with start_server(database_url) as server:
        admin = as_key(server, ADMIN_KEY)
        first = admin("GET", "/v1/keys").json()["keys"][0]
        url = f"/v1/keys/{first['key_id']}"
        new_key(admin, scopes=["admin"], environment="test")  # cannot take its place
        refused = [
            admin("DELETE", url),
            admin("PATCH", url, {"is_active": False}),
            admin("PATCH", url, {"scopes": ["read", "write"]}),
            admin("PATCH", url, {"expires_in_days": 30}),
        ]
        assert [answer.status_code for answer in refused] == [409] * 4
        assert "last admin key" in refused[0].json()["message"]
        assert admin("PATCH", url, {"name": "root", "scopes": ["admin"]}).status_code == 200
        second = new_key(admin, scopes=["admin"])
        with ThreadPoolExecutor(2) as pool:
            ids = (first["key_id"], second["key_id"])
            ended = list(pool.map(lambda i: admin("DELETE", f"/v1/keys/{i}").status_code, ids))
        # Whoever came second was refused, or was no longer known.
        assert ended.count(204) == 1
        assert set(ended) <= {204, 401, 409}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 201},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["root"]},
        {"name": "x", "environment": "staging"},
        {"name": "x", "rate_limit": 0},
        {"name": "x", "rate_limit": 2**31},
        {"name": "x", "expires_in_days": 0},
        {"name": "x", "is_operator": True},
        {"name": "x\x00"},
    ],
)
def test_a_wrong_wish(admin: Ask, body: dict[str, Any]) -> None:
    before = admin("GET", "/v1/keys").json()["total"]
    assert admin("POST", "/v1/keys", body).status_code == 422
    assert admin("GET", "/v1/keys").json()["total"] == before


def test_keys_are_bounded(database_url: str) -> None:
    with start_server(database_url, max_management_keys="2") as server:
        admin = as_key(server, ADMIN_KEY)
        new_key(admin)
        assert admin("POST", "/v1/keys", {"name": "one too many"}).status_code == 409


def test_secrets_are_stored_as_hashes_alone(server: RunningServer, admin: Ask) -> None:
    key = new_key(admin)
    assert server.database_url is not None
    with psycopg.connect(conninfo(server.database_url)) as conn:
        for table in ("management_keys", "management_secrets", "audit_log"):
            rows = conn.execute(f"SELECT t::text FROM {table} t").fetchall()
            assert not any(key["api_key"][8:] in row for (row,) in rows)
