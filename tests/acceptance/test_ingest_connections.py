"""Connections of clients that stop, wait, pipeline or do not speak HTTP."""

import contextlib
import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from support.server import RunningServer
from support.stored import NOTHING, learned, stored
from support.wire import Wire, chunk, padded, request

T0 = 1_700_000_000


def test_a_client_that_goes_away_midway_stores_nothing(server: RunningServer) -> None:
    datasource = server.datasource()
    body = json.dumps([{"ts": T0 + i, "a": i} for i in range(1000)]).encode()
    path = urlsplit(datasource.url).path
    told = request("POST", path, body, Authorization=datasource.key)
    streamed = request("POST", path, Authorization=datasource.key, Transfer_Encoding="chunked")
    for part in (told[: len(told) // 2], streamed + chunk(body[:500])):
        with Wire(server.url) as wire:
            wire.send(part)
            time.sleep(0.1)
    time.sleep(0.2)
    assert learned(datasource) == NOTHING
    assert datasource.post(body).json()["accepted"] == 1000


def test_a_client_that_closes_its_sending_side_midway(server: RunningServer) -> None:
    datasource = server.datasource()
    told = request("POST", urlsplit(datasource.url).path, b'{"a": 1}', Authorization=datasource.key)
    with Wire(server.url) as wire:
        wire.send(told[:-1])
        wire.socket.shutdown(socket.SHUT_WR)
        answer = wire.read()
    assert answer is not None
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "BAD_REQUEST")
    assert learned(datasource) == NOTHING


def test_a_slow_client_is_waited_for_and_hinders_nobody(server: RunningServer) -> None:
    datasource = server.datasource()
    told = request(
        "POST", urlsplit(datasource.url).path, b'{"ts": 1, "a": 1}', Authorization=datasource.key
    )
    with Wire(server.url) as wire:
        for at in range(0, len(told), 10):
            wire.send(told[at : at + 10])
            assert datasource.post({"ts": 2, "a": 1}).status_code == 200
            time.sleep(0.02)
        answer = wire.read()
    assert answer is not None
    assert answer.status == 200
    assert learned(datasource)[2] == 2


def test_expect_100_continue(server: RunningServer) -> None:
    datasource = server.datasource()
    body = b'{"a": 1}'
    head = request(
        "POST",
        urlsplit(datasource.url).path,
        Authorization=datasource.key,
        Expect="100-continue",
        Content_Length=str(len(body)),
    )
    with Wire(server.url) as wire:
        wire.send(head)
        interim = wire.read()
        assert interim is not None
        assert interim.status == 100
        wire.send(body)
        answer = wire.read()
    assert answer is not None
    assert answer.status == 200


def test_pipelined_requests_are_answered_in_order(server: RunningServer) -> None:
    datasource = server.datasource()
    path = urlsplit(datasource.url).path
    good = [
        request("POST", path, json.dumps({"ts": T0 + i, "a": i}).encode(), X_API_Key=datasource.key)
        for i in range(5)
    ]
    bad = request("POST", path, b"{", X_API_Key=datasource.key)
    with Wire(server.url) as wire:
        wire.send(*good[:3], bad, *good[3:], request("GET", "/nowhere"))
        answers = [wire.read() for _ in range(7)]
    assert [a.status for a in answers if a] == [200, 200, 200, 400, 200, 200, 404]
    assert learned(datasource)[2] == 5


def test_a_connection_survives_its_errors(server: RunningServer) -> None:
    datasource = server.datasource()
    path = urlsplit(datasource.url).path
    with Wire(server.url) as wire:
        for body, key, status in (
            (b'{"a": 1}', "wrong", 401),
            (b"{", datasource.key, 400),
            (b'{"a": "x"}' * 3000, "wrong", 401),
            (b'{"a": 1}', datasource.key, 200),
        ):
            wire.send(request("POST", path, body, X_API_Key=key))
            answer = wire.read()
            assert answer is not None
            assert answer.status == status


@pytest.mark.parametrize(
    "head",
    [
        {"Content_Length": "-1"},
        {"Content_Length": "1x"},
        {"Content_Length": "99999999999999999999"},
        {"Transfer_Encoding": "nonsense"},
    ],
)
def test_a_length_that_makes_no_sense_is_refused(
    server: RunningServer, head: dict[str, str]
) -> None:
    datasource = server.datasource()
    with Wire(server.url) as wire:
        wire.send(
            request("POST", urlsplit(datasource.url).path, Authorization=datasource.key, **head),
            chunk(b'{"a": 1}'),
            chunk(b""),
        )
        answer = wire.read()
    assert answer is None or answer.status >= 400
    assert learned(datasource) == NOTHING


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\0" * 1000])
def test_what_is_not_http_harms_nobody(server: RunningServer, garbage: bytes) -> None:
    with Wire(server.url) as wire:
        wire.send(garbage)
        with contextlib.suppress(OSError):  # refused already
            wire.socket.shutdown(socket.SHUT_WR)
            answer = wire.read()
            assert answer is None or answer.status == 400
    assert server.client.get("/health").status_code == 200


def test_a_connection_whose_body_was_not_read_is_said_to_close(server: RunningServer) -> None:
    datasource = server.datasource()
    fine, refused = {"Authorization": datasource.key}, {"Authorization": "tfi_wrong"}
    cases = [
        (fine, 30, None),
        (refused, 30, None),
        (fine, 100_000, None),
        (refused, 100_000, None),  # the front reads so much before it judges
    ]
    with httpx.Client() as client:
        for headers, size, told in cases:
            answer = client.post(datasource.url, content=padded(size), headers=headers)
            assert answer.status_code == (200 if headers is fine else 401), answer.text
            assert answer.headers.get("connection") == told
        with Wire(server.url) as wire:
            more = {"Authorization": "tfi_wrong", "Content_Length": "2000000"}
            wire.send(request("POST", urlsplit(datasource.url).path, padded(100_000), **more))
            refusal = wire.read()
            assert refusal is not None
            assert (refusal.status, refusal.headers.get("connection")) == (401, "close")
        managed = client.post(f"{server.url}/v1/datasources", content=padded(100_000))
        assert managed.status_code == 401  # its body may have been read or not
        assert client.get(f"{server.url}/health").status_code == 200


CSV_PARTS = [b"ts,a\n1700000200,1\n", b"1700000201,17"]
JSON_PARTS = [b'[{"ts":1700000200,', b'"a":1}]']
LINES = [b'{"ts":1700000200,"a":1}\n', b'{"ts":1700000201,"a":17']


@pytest.mark.parametrize("query", ["", "?strict=true"])
@pytest.mark.parametrize("cut", ["between chunks", "in a chunk", "no chunk"])
@pytest.mark.parametrize(
    ("media", "parts", "kept"),
    [
        ("text/csv", CSV_PARTS, {}),
        ("application/json", JSON_PARTS, {}),
        ("application/x-ndjson", LINES, {}),
    ],
)
def test_a_chunked_body_that_is_cut_is_not_taken_for_whole(
    server: RunningServer, media: str, parts: list[bytes], kept: Any, cut: str, query: str
) -> None:
    """What was cut may look whole: a number's first digits, a JSON text without the last chunk."""
    datasource = server.datasource()
    headers = {"Authorization": datasource.key, "Content_Type": media}
    path = urlsplit(datasource.url).path + query
    with Wire(server.url) as wire:
        head = request("POST", path, **headers, Transfer_Encoding="chunked")
        body = b"".join(chunk(part) for part in parts)
        wire.send(head + {"between chunks": body, "no chunk": b""}.get(cut, b"ff\r\n" + parts[0]))
        wire.socket.shutdown(socket.SHUT_WR)
        answer = wire.read()
    assert answer is not None
    assert answer.status == 400
    told = json.loads(answer.body)
    assert (told["error"], told["status"]) == ("BAD_REQUEST", 400)
    assert stored(datasource) == kept


def test_a_chunked_body_with_trailers_is_whole_when_they_were_announced(
    server: RunningServer,
) -> None:
    datasource = server.datasource()
    path = urlsplit(datasource.url).path
    headers = {"Authorization": datasource.key, "Transfer_Encoding": "chunked", "Trailer": "X-Sum"}
    with Wire(server.url) as wire:
        wire.send(request("POST", path, **headers) + chunk(b'{"a":1}') + b"0\r\nX-Sum: 1\r\n\r\n")
        answer = wire.read()
    assert answer is not None
    assert answer.status == 200
    assert learned(datasource)[2] == 1


def test_a_foreign_body_that_is_cut_is_refused(server: RunningServer) -> None:
    datasource = server.datasource()
    head = request("POST", "/write", X_API_Key=datasource.key, Transfer_Encoding="chunked")
    with Wire(server.url) as wire:
        wire.send(head + chunk(b"m v=1 1700000000000000000\nm v=1"))
        wire.socket.shutdown(socket.SHUT_WR)
        answer = wire.read()
    assert answer is not None
    assert answer.status == 400
    assert learned(datasource) == NOTHING


def test_a_cut_body_changes_nothing_elsewhere_either(server: RunningServer) -> None:
    head = request("POST", "/v1/datasources", **server.auth, Transfer_Encoding="chunked")
    before = server.get("/v1/datasources").json()["total"]
    with Wire(server.url) as wire:
        wire.send(head + chunk(b'{"name": "cut body"}'))
        wire.socket.shutdown(socket.SHUT_WR)
        answer = wire.read()
    assert answer is not None
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "BAD_REQUEST")
    assert server.get("/v1/datasources").json()["total"] == before
