"""Ingest keys: several, expiring, rotated, deleted; every worker honours a change within a second."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from support.server import Datasource, RunningServer, start_server

from twin.db.pool import conninfo

WITHIN_S = 1.0
PROBES = 12
"""New connections: with two workers, one of them is missed once in two thousand tries."""


def probe(datasource: Datasource, key: str) -> set[int]:
    """Return the answers of all workers to a reading sent with a key."""

    def post(_: int) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.post(datasource.url, json={"a": 1}, headers=headers, timeout=10).status_code

    with ThreadPoolExecutor(PROBES) as pool:
        return set(pool.map(post, range(PROBES)))


def soon(datasource: Datasource, key: str, status: int) -> None:
    """Check that every worker gives this answer within a second."""
    deadline = time.monotonic() + WITHIN_S
    while (found := probe(datasource, key)) != {status}:
        assert time.monotonic() < deadline, f"{found} where {status} was due"


def keys_url(datasource: Datasource) -> str:
    return f"/v1/datasources/{datasource.id}/keys"


def first_key(server: RunningServer, datasource: Datasource) -> str:
    return str(server.get(keys_url(datasource)).json()["keys"][0]["key_id"])


def test_several_keys_side_by_side(server: RunningServer) -> None:
    datasource = server.datasource()
    answer = server.post(keys_url(datasource), {"name": "gateway", "expires_in_days": 7})
    assert answer.status_code == 201
    made = answer.json()
    assert made["api_key"].startswith("tfi_")
    assert made["name"] == "gateway"
    assert made["expires_at"] > made["created_at"]
    assert probe(datasource, made["api_key"]) == probe(datasource, datasource.key) == {200}
    listed = server.get(keys_url(datasource))
    assert listed.json()["total"] == 2
    assert [k["name"] for k in listed.json()["keys"]] == ["default", "gateway"]
    for secret in (made["api_key"], datasource.key):
        assert secret not in listed.text
        assert secret not in server.get(f"/v1/datasources/{datasource.id}").text


def test_a_deleted_key_stops_and_the_others_go_on(server: RunningServer) -> None:
    datasource = server.datasource()
    made = server.post(keys_url(datasource), {"name": "other"}).json()
    assert probe(datasource, made["api_key"]) == {200}
    assert server.delete(f"{keys_url(datasource)}/{made['key_id']}").status_code == 204
    soon(datasource, made["api_key"], 401)
    assert probe(datasource, datasource.key) == {200}
    assert server.delete(f"{keys_url(datasource)}/{made['key_id']}").status_code == 404


def test_rotated_without_grace(server: RunningServer) -> None:
    datasource = server.datasource()
    assert probe(datasource, datasource.key) == {200}
    key_id = first_key(server, datasource)
    for body in (None, {"grace_seconds": 0}):
        old = datasource.key
        answer = server.post(f"{keys_url(datasource)}/{key_id}/rotate", body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["key_id"] == key_id
        datasource.key = answer.json()["api_key"]
        soon(datasource, datasource.key, 200)
        soon(datasource, old, 401)
    assert datasource.detail()["ingest_url"] == datasource.url


def test_rotated_with_grace(server: RunningServer) -> None:
    datasource = server.datasource()
    url = f"{keys_url(datasource)}/{first_key(server, datasource)}/rotate"
    assert probe(datasource, datasource.key) == {200}
    for grace_s in (3, 10, 30):  # longer where the machine is too busy to look within it
        rotated = time.monotonic()
        new = server.post(url, {"grace_seconds": grace_s}).json()["api_key"]
        soon(datasource, new, 200)
        found = probe(datasource, datasource.key)
        if time.monotonic() - rotated < grace_s:
            break
        datasource.key = new
    assert found == {200}
    time.sleep(max(0.0, rotated + grace_s + 1 - time.monotonic()))
    soon(datasource, datasource.key, 401)
    assert probe(datasource, datasource.key) == {401}
    assert probe(datasource, new) == {200}


def test_rotating_twice_never_prolongs_an_old_secret(server: RunningServer) -> None:
    datasource = server.datasource()
    url = f"{keys_url(datasource)}/{first_key(server, datasource)}/rotate"
    second = server.post(url, {"grace_seconds": 0}).json()["api_key"]
    third = server.post(url, {"grace_seconds": 3600}).json()["api_key"]
    soon(datasource, datasource.key, 401)
    assert probe(datasource, second) == probe(datasource, third) == {200}


def test_an_expired_key_stops_though_it_is_cached(server: RunningServer) -> None:
    datasource = server.datasource()
    made = server.post(keys_url(datasource), {"name": "short", "expires_in_days": 1}).json()
    assert server.database_url is not None
    with psycopg.connect(conninfo(server.database_url)) as conn:
        conn.execute(
            "UPDATE ingest_keys SET expires_at = now() + interval '1 second' WHERE key_id = %s",
            [made["key_id"]],
        )
    ends = time.monotonic() + 1
    assert probe(datasource, made["api_key"]) <= {200, 401}
    time.sleep(max(0.0, ends + 0.2 - time.monotonic()))
    assert probe(datasource, made["api_key"]) == {401}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {}),
        ("", {"name": ""}),
        ("", {"name": "x", "expires_in_days": 0}),
        ("", {"name": "x", "expires_in_days": -1}),
        ("", {"name": "x", "api_key": "mine"}),
        ("/{key}/rotate", {"grace_seconds": -1}),
        ("/{key}/rotate", {"grace_seconds": 10**9}),
    ],
)
def test_a_wrong_wish_changes_nothing(server: RunningServer, path: str, body: object) -> None:
    datasource = server.datasource()
    url = keys_url(datasource) + path.format(key=first_key(server, datasource))
    assert server.post(url, body).status_code == 422
    assert server.get(keys_url(datasource)).json()["total"] == 1
    assert probe(datasource, datasource.key) == {200}


def test_a_key_of_another_datasource_is_not_found(server: RunningServer) -> None:
    datasource, other = server.datasource(), server.datasource()
    key_id = first_key(server, other)
    assert server.delete(f"{keys_url(datasource)}/{key_id}").status_code == 404
    assert server.post(f"{keys_url(datasource)}/{key_id}/rotate").status_code == 404
    assert probe(other, other.key) == {200}


@pytest.fixture
def another(server: RunningServer) -> Iterator[RunningServer]:
    """A second server on the shared one's database, as on another host."""
    assert server.database_url is not None
    with start_server(server.database_url) as running:
        yield running


def test_another_host_honours_changes_within_a_second(
    server: RunningServer, another: RunningServer
) -> None:
    datasource = server.datasource()
    far = Datasource(
        another,
        {**datasource.created, "ingest_url": f"{another.url}/ingest/{datasource.id}"},
    )
    assert probe(far, far.key) == {200}
    url = f"{keys_url(datasource)}/{first_key(server, datasource)}/rotate"
    new = server.post(url, {"grace_seconds": 0}).json()["api_key"]
    soon(far, datasource.key, 401)
    soon(far, new, 200)
    assert server.delete(f"/v1/datasources/{datasource.id}").status_code == 204
    soon(far, new, 401)
    deadline = time.monotonic() + WITHIN_S
    while another.get(f"/v1/datasources/{datasource.id}").status_code != 404:
        assert time.monotonic() < deadline
