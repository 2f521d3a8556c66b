"""A request is answered alike by the front and by the server behind it."""

import json
import select
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from support.server import RunningServer, start_server
from support.wire import Answer, Wire, chunk, request

pytestmark = pytest.mark.one_home

T0 = 1_790_000_000_000

BODIES = [
    b'{"temp": 1.5}',
    b'{"temp": 1.5, "state": "on"}',
    b'{"ts": "2026-01-01T00:00:00Z", "values": {"temp": 2}}',
    b'[{"temp": 1}, {"temp": "warm"}]',
    b'{"temp": "warm"}',
    b'{"temp": null}',
    b'{"temp": 1e999}',
    b'{"ts": -1, "temp": 1}',
    b'{"new": 1}',
    b"{",
    b"[]",
    b"",
    b"\xff",
]


@pytest.mark.parametrize("query", ["", "?strict=true", "?dry_run=true", "?precision=h", "?tz=Mars"])
def test_the_answers_are_the_same(server: RunningServer, query: str) -> None:
    datasource = server.datasource(data_keys=[{"key": "temp", "kind": "number"}])
    path = urlsplit(datasource.url).path + query
    for body in BODIES:
        for more in ({}, {"Content_Type": "text/plain"}, {"Content_Encoding": "gzip"}):
            answers = []
            for how in ({}, {"TE": "trailers"}):  # the second is not plain
                with Wire(server.url) as wire:
                    told = {"Authorization": datasource.key, **more, **how}
                    wire.send(request("POST", path, body, **told))
                    answer = wire.read()
                    assert answer is not None
                    answers.append((answer.status, answer.headers["content-type"], answer.body))
            assert answers[0] == answers[1], (body, more)


@pytest.mark.parametrize("key", ["", "tfi_" + "0" * 64, "Bearer", "Basic !"])
def test_a_wrong_key_is_refused_alike(server: RunningServer, key: str) -> None:
    path = urlsplit(server.datasource().url).path
    answers = []
    for how in ({}, {"TE": "trailers"}):
        with Wire(server.url) as wire:
            wire.send(request("POST", path, b'{"a": 1}', Authorization=key, **how))
            answer = wire.read()
            assert answer is not None
            assert answer.status == 401
            answers.append((answer.headers["www-authenticate"], answer.body))
    assert answers[0] == answers[1]


def test_one_connection_for_everything(server: RunningServer) -> None:
    datasource = server.datasource()
    path = urlsplit(datasource.url).path
    key = {"Authorization": datasource.key}
    reading = [json.dumps({"ts": T0 + n, "a": n}).encode() for n in range(4)]
    with Wire(server.url) as wire:
        wire.send(
            request("POST", path, reading[0], **key),
            request("POST", path, reading[1], **key),
            request("POST", path, Transfer_Encoding="chunked", **key)
            + chunk(reading[2])
            + chunk(b""),
            request("GET", "/health"),
            request("POST", path, reading[3], **key),
            request("GET", "/nothing"),
        )
        statuses = [answer.status for _ in range(6) if (answer := wire.read()) is not None]
    assert statuses == [200, 200, 200, 200, 200, 404]
    found = server.get(f"/v1/datasources/{datasource.id}").json()
    assert found["readings_total"] == 4


def test_a_key_that_is_taken_back_is_refused_on_an_open_connection(server: RunningServer) -> None:
    datasource = server.datasource()
    path = urlsplit(datasource.url).path
    body = request("POST", path, b'{"a": 1}', Authorization=datasource.key)
    with Wire(server.url) as wire:
        for _ in range(3):
            wire.send(body)
            answer = wire.read()
            assert answer is not None
            assert answer.status == 200
        assert server.delete(f"/v1/datasources/{datasource.id}").status_code == 204
        wire.send(body)
        answer = wire.read()
        assert answer is not None
        assert answer.status == 401


def test_past_the_bound_of_connections_others_wait_for_a_place(database_url: str) -> None:
    with start_server(database_url, max_connections="3") as server:
        datasource = server.datasource()
        server.client.close()
        sent = request(
            "POST", urlsplit(datasource.url).path, b'{"a": 1}', Authorization=datasource.key
        )
        with ExitStack() as stack:
            begun = [stack.enter_context(Wire(server.url)) for _ in range(3)]
            for wire in begun:
                wire.send(sent[:-1])
            late = stack.enter_context(Wire(server.url, timeout_s=0.5))
            late.send(sent)
            with pytest.raises(TimeoutError):
                late.read()
            for wire in begun:
                wire.send(sent[-1:])
                answer = wire.read()
                assert answer is not None
                assert answer.status == 200
        with Wire(server.url) as wire:  # those that were idle have made room
            wire.send(sent)
            answer = wire.read()
            assert answer is not None
            assert answer.status == 200


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.apache.parquet"])
def test_past_the_bound_of_bytes_a_request_is_refused(database_url: str, kind: str) -> None:
    with start_server(database_url, max_held_bytes="3000000") as server:
        datasource = server.datasource()
        path = urlsplit(datasource.url).path
        told = {"Authorization": datasource.key, "Content_Type": kind}
        large = request("POST", path, b" " * 2_999_990 + b'{"a": 1}', **told)
        less = request("POST", path, b" " * 1_500_000 + b"{}", **told)
        refused = None
        while refused is None:
            with Wire(server.url) as one:
                one.send(large[:-1])
                refused = _refused_beside(one, server.url, less)
                if refused is None:
                    continue  # a smaller one came first, and the large one was refused
                assert refused.headers["retry-after"] == "1"
                one.send(large[-1:])
                answer = one.read()
                assert answer is not None
                assert answer.status == (200 if "json" in kind else 400)
        with Wire(server.url) as two:
            two.send(large)
            answer = two.read()
            assert answer is not None
            assert answer.status == (200 if "json" in kind else 400)


def _refused_beside(one: Wire, url: str, less: bytes) -> Answer | None:
    """Send smaller requests until one is refused for want of room; None: `one` was."""
    while not select.select([one.socket], [], [], 0)[0]:
        with Wire(url) as other:
            other.send(less)
            answer = other.read()
            assert answer is not None
            if answer.status == 503:
                return answer
    return None


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("{ingest}?delimiter=ab", "mine", 422),
        ("{ingest}", "tfi_wrong", 401),
        ("/v1/datasources", "wrong", 401),
        ("/v1/nothing", "wrong", 404),
    ],
)
def test_a_body_that_comes_after_its_refusal_was_decided(
    server: RunningServer, path: str, key: str, status: int
) -> None:
    datasource = server.datasource()
    body = b'{"name": "x"}'
    head = request(
        "POST",
        path.format(ingest=urlsplit(datasource.url).path),
        Authorization=datasource.key if key == "mine" else key,
        Content_Type="text/csv" if "?" in path else "application/json",
        Content_Length=str(len(body)),
    )
    with Wire(server.url) as wire:
        for _ in range(20):
            wire.send(request("GET", "/health"))  # from here on the server behind answers
            health = wire.read()
            assert health is not None
            assert health.status == 200
            wire.send(head)
            wire.send(body)
            answer = wire.read()
            assert answer is not None
            assert (answer.status, answer.headers.get("connection")) == (status, None)
