"""Limits: per key, application, datasource and address, exact with two workers, close on two hosts."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from support.access import Ask, as_key, made
from support.server import ADMIN_KEY, Datasource, RunningServer, start_server

HOUR_S = 3600
NAMES = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


@pytest.fixture
def admin(server: RunningServer) -> Ask:
    return as_key(server, ADMIN_KEY)


def limited(ask: Ask, rate_limit: int, **fields: Any) -> str:
    body = {"name": "limited", "rate_limit": rate_limit, **fields}
    return str(made(ask("POST", "/v1/keys", body))["api_key"])


def same_window(length_s: int, margin_s: int) -> None:
    """Wait out the end of a clock window that a test must not straddle."""
    left_s = length_s - time.time() % length_s
    if left_s < margin_s:
        time.sleep(left_s + 0.1)


def hammer(urls: list[str], key: str, requests: int, **headers: str) -> Counter[int]:
    """Make requests on connections of their own, which meet all workers; count the statuses."""
    sent = {"Authorization": f"Bearer {key}", **headers}

    def one(i: int) -> int:
        url = f"{urls[i % len(urls)]}/v1/organisation"
        return httpx.get(url, headers=sent, timeout=20).status_code

    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(one, range(requests)))


def test_a_key_is_limited_exactly_by_two_workers(server: RunningServer, admin: Ask) -> None:
    same_window(HOUR_S, 20)
    assert hammer([server.url], limited(admin, 40), 60) == {200: 40, 429: 20}


def test_a_refused_application_counts_and_is_told_so(server: RunningServer, admin: Ask) -> None:
    same_window(HOUR_S, 20)
    ask = as_key(server, limited(admin, 2), X_App_Token="tfa_" + "0" * 64)
    answers = [ask("GET", "/v1/organisation") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403, 403, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]


def test_what_a_limited_key_is_told(server: RunningServer, admin: Ask) -> None:
    same_window(HOUR_S, 20)
    ask = as_key(server, limited(admin, 4))
    answers = [
        ask("GET", "/v1/organisation"),
        ask("GET", "/v1/nowhere"),
        ask("POST", "/v1/datasources", {}),
        ask("PUT", "/v1/datasources"),
        ask("GET", "/v1/organisation"),
    ]
    assert [a.status_code for a in answers] == [200, 404, 422, 405, 429]
    assert [a.headers["x-ratelimit-remaining"] for a in answers] == ["3", "2", "1", "0", "0"]
    assert {a.headers["x-ratelimit-limit"] for a in answers} == {"4"}
    reset = int(answers[0].headers["x-ratelimit-reset"])
    assert reset % HOUR_S == 0
    assert 0 < reset - time.time() <= HOUR_S
    told = answers[-1].json()
    assert told["error"] == "RATE_LIMIT_EXCEEDED"
    assert told["retry_after"] == int(answers[-1].headers["retry-after"])
    assert abs(told["retry_after"] - (reset - time.time())) <= 3


def test_what_is_not_counted(server: RunningServer, admin: Ask) -> None:
    same_window(HOUR_S, 20)
    datasource = server.datasource()
    assert datasource.post({"a": 1}).status_code == 200
    key = limited(admin, 3)
    ask = as_key(server, key)
    fields = {"type": "single", "title": "t", "datasource_id": datasource.id, "key": "a"}
    widget = made(ask("POST", "/v1/widgets", fields))["id"]
    for _ in range(3):
        free = [
            ask("GET", f"/v1/widgets/{widget}/data"),
            ask("GET", f"/v1/data/single?datasource_id={datasource.id}&key=a"),
            ask("POST", "/v1/widgets/data", {"ids": [widget]}),
        ]
        assert [a.status_code for a in free] == [200] * 3
        assert {a.headers["x-ratelimit-remaining"] for a in free} == {"2"}
    assert ask("GET", "/v1/organisation").headers["x-ratelimit-remaining"] == "1"
    unlimited = server.get("/v1/organisation")
    assert not unlimited.headers.keys() & set(NAMES)


def test_an_application_is_limited(server: RunningServer, admin: Ask) -> None:
    same_window(60, 20)
    app = made(admin("POST", "/v1/applications", {"name": "app", "per_minute": 10}))
    key = limited(admin, 1000)
    assert hammer([server.url], key, 15, **{"X-App-Token": app["app_token"]}) == {200: 10, 429: 5}
    # What an application is refused does not use its key up.
    left = as_key(server, key)("GET", "/v1/organisation").headers["x-ratelimit-remaining"]
    assert left == "989"
    answer = as_key(server, key, X_App_Token=app["app_token"])("GET", "/v1/organisation")
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (429, "989")
    assert 0 < answer.json()["retry_after"] <= 60
    daily = {"per_minute": None, "per_day": 2}
    changed = admin("PATCH", f"/v1/applications/{app['id']}", daily).json()
    assert (changed["per_minute"], changed["per_day"]) == (None, 2)
    answer = as_key(server, key, X_App_Token=app["app_token"])("GET", "/v1/organisation")
    assert answer.status_code == 429
    assert "per day" in answer.json()["message"]


def test_readings_per_second(server: RunningServer) -> None:
    datasource = server.datasource(readings_per_second=100)
    assert datasource.created["readings_per_second"] == 100
    assert (
        datasource.post([{"a": i} for i in range(2000)]).status_code == 200
    )  # twenty seconds' worth
    refused = datasource.post({"a": 1})
    assert refused.status_code == 429
    assert refused.json()["error"] == "RATE_LIMIT_EXCEEDED"
    assert 10 <= refused.json()["retry_after"] == int(refused.headers["retry-after"]) <= 20
    headers = {"Authorization": f"Token {datasource.key}"}
    line = server.client.post("/api/v2/write", content="m a=1", headers=headers)
    assert line.status_code == 429
    assert "retry-after" in line.headers
    url = f"/v1/datasources/{datasource.id}"
    assert server.patch(url, {"readings_per_second": None}).status_code == 200
    lifted(datasource)


def test_bytes_per_second(server: RunningServer) -> None:
    datasource = server.datasource(bytes_per_second=1000)
    assert datasource.post(b'{"a": 1}' + b" " * 20_000).status_code == 200
    assert datasource.post({"a": 1}).status_code == 429
    assert server.get(f"/v1/datasources/{datasource.id}").json()["bytes_per_second"] == 1000
    assert (
        server.patch(f"/v1/datasources/{datasource.id}", {"bytes_per_second": 0}).status_code == 422
    )
    faster = {"bytes_per_second": 1e9}
    assert server.patch(f"/v1/datasources/{datasource.id}", faster).status_code == 200
    csv = server.datasource(bytes_per_second=10)
    body = "time,a\n" + "".join(f"2026-01-01T00:00:{s:02},1\n" for s in range(60))
    assert csv.post(body, content_type="text/csv").status_code == 200
    assert csv.post({"a": 1}).status_code == 429


def lifted(datasource: Datasource) -> None:
    """All workers take readings again within a second."""

    def one(_: int) -> int:
        headers = {"Authorization": datasource.key}
        return httpx.post(datasource.url, json={"a": 1}, headers=headers, timeout=10).status_code

    deadline = time.monotonic() + 1
    with ThreadPoolExecutor(8) as pool:
        while (found := set(pool.map(one, range(12)))) != {200}:
            assert time.monotonic() < deadline, found


@pytest.fixture
def guarded(database_url: str) -> Iterator[RunningServer]:
    with start_server(
        database_url, workers=2, max_failed_auth="10", trusted_proxies="127.0.0.1, 10.0.0.0/8"
    ) as running:
        yield running


def test_an_address_that_guesses_is_stopped(guarded: RunningServer) -> None:
    same_window(60, 30)
    datasource = guarded.datasource()
    warm = {guarded.get("/v1/organisation").status_code for _ in range(12)}
    assert warm == {200}
    assert {datasource.post({"a": 1}).status_code for _ in range(12)} == {200}
    found = hammer([guarded.url], "tf_live_" + "0" * 64, 20)
    # Two workers may look at once: each of eight connections is at most one guess too many.
    assert 10 <= found[401] <= 10 + 8
    assert found[401] + found[429] == 20
    wrong = {"Authorization": "tfi_" + "0" * 64}
    assert httpx.post(datasource.url, json={"a": 1}, headers=wrong).status_code == 429
    answer = guarded.client.get("/v1/organisation", headers={"X-API-Key": "guess"})
    assert answer.json()["error"] == "RATE_LIMIT_EXCEEDED"
    # Keys that a worker knows go on, and so does every other address.
    assert guarded.get("/v1/organisation").status_code == 200
    assert datasource.post({"a": 1}).status_code == 200
    elsewhere = {"X-API-Key": "guess", "X-Forwarded-For": "203.0.113.7, 10.1.2.3"}
    assert guarded.client.get("/v1/organisation", headers=elsewhere).status_code == 401
    spoofed = {"X-API-Key": "guess", "X-Forwarded-For": "203.0.113.8, 127.0.0.1"}
    assert guarded.client.get("/v1/organisation", headers=spoofed).status_code == 401


def remaining_of(server: RunningServer, key: str) -> int:
    """Return what a server thinks is left to a key; asking is not counted."""
    answer = as_key(server, key)("GET", "/v1/data/single")
    return int(answer.headers["x-ratelimit-remaining"])


def both_at_once(one: RunningServer, two: RunningServer) -> None:
    """Two hosts that are asked at the same time admit no more than the limit each; told, nothing."""
    limit, urls = 20, [one.url, two.url]
    key = limited(as_key(one, ADMIN_KEY), limit)
    found = hammer(urls, key, 4 * limit)
    assert limit <= found[200] <= 2 * limit
    assert found[200] + found[429] == 4 * limit
    for server in (one, two):
        deadline = time.monotonic() + 15
        while remaining_of(server, key) != 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert hammer(urls, key, 6) == {429: 6}


def test_two_hosts_share_a_limit(database_url: str) -> None:
    """A host counts at once what it admits itself, and within a second what the other did."""
    same_window(HOUR_S, 60)
    with start_server(database_url, workers=2) as one, start_server(database_url) as two:
        key = limited(as_key(one, ADMIN_KEY), 30)
        assert hammer([one.url], key, 20) == {200: 20}
        remaining = as_key(two, key)
        deadline = time.monotonic() + 15
        while True:  # asking costs one each time until the other's count is known here
            answer = remaining("GET", "/v1/data/single")  # not counted
            if int(answer.headers["x-ratelimit-remaining"]) == 10:
                break
            assert time.monotonic() < deadline, answer.headers
            time.sleep(0.05)
        assert hammer([two.url], key, 15) == {200: 10, 429: 5}
        both_at_once(one, two)
    with start_server(database_url) as three:  # what the others counted outlives them
        answer = as_key(three, key)("GET", "/v1/data/single")
        deadline = time.monotonic() + 15
        while int(answer.headers["x-ratelimit-remaining"]) != 0:
            assert time.monotonic() < deadline
            answer = as_key(three, key)("GET", "/v1/data/single")
