"""Batches are sent until the server took them, and refusals are told as they are."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from support.server import free_port

from twin.importer.batches import Batch, Fault
from twin.importer.errors import ImportFailed
from twin.importer.layout import find_layout
from twin.importer.sender import MAX_ATTEMPTS, MAX_RETRY_AFTER_S, Sender, wait_s

KEY = "tfi_" + "0" * 64
BROKEN = 0
"""In place of a status: the connection ends without an answer."""


class Server:
    """Answers each request with the next of `answers` (status, headers, body); then accepts all."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        self.times: list[list[Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""


@pytest.fixture
def server() -> Iterator[Server]:
    script = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(gzip.decompress(body))
            script.times.append(request["ts"])
            script.headers.append(dict(self.headers))
            accepted = {"accepted": len(request["ts"]), "rejected": 0, "errors": []}
            status, headers, answer = (
                script.answers.pop(0) if script.answers else (200, {}, accepted)
            )
            self.close_connection = True
            if status == BROKEN:
                return
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            # Said, so that the client does not try a connection that is about to end.
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{http.server_address[1]}/ingest/x"
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield script
    http.shutdown()
    thread.join()
    http.server_close()


class Waits:
    """Notes what would have been slept and said."""

    def __init__(self, url: str) -> None:
        self.slept: list[float] = []
        self.said: list[str] = []
        self.sender = Sender(url, KEY, notice=self.said.append, sleep=self.slept.append)


def batch_of(times: list[int]) -> Batch:
    batch = Batch(find_layout(["ts", "v"]))
    for time in times:
        batch.lines.append(time * 10)
        batch.times.append(time)
        batch.columns["v"].append(1.0)
    return batch


def test_a_batch_is_sent_once_as_gzip_with_the_key(server: Server) -> None:
    waits = Waits(server.url)
    with waits.sender as sender:
        outcome = sender.send(batch_of([1, 2]))
    assert (outcome.accepted, outcome.rejected, outcome.faults) == (2, 0, [])
    assert server.times == [[1, 2]]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert server.headers[0]["Content-Encoding"] == "gzip"
    assert waits.slept == []


def test_errors_are_told_by_line(server: Server) -> None:
    errors = [{"index": 1, "key": "v", "message": "is wrong"}, {"index": 0, "message": "too old"}]
    server.answers = [(200, {}, {"accepted": 1, "rejected": 2, "errors": errors})]
    batch = batch_of([1, 2, 3])
    batch.faults.append(Fault(15, "the time is empty"))
    with Waits(server.url).sender as sender:
        outcome = sender.send(batch)
    assert (outcome.accepted, outcome.rejected) == (1, 3)
    assert [(fault.line, fault.message) for fault in outcome.faults] == [
        (10, "too old"),
        (15, "the time is empty"),
        (20, "v: is wrong"),
    ]


def test_all_rejected_is_an_answer_and_no_failure(server: Server) -> None:
    body = {"error": "VALIDATION_ERROR", "message": "…", "accepted": 0, "rejected": 1, "errors": []}
    server.answers = [(422, {}, body)]
    with Waits(server.url).sender as sender:
        assert sender.send(batch_of([1])).rejected == 1


def test_an_overloaded_server_is_asked_again_when_it_says(server: Server) -> None:
    server.answers = [
        (503, {"Retry-After": "7"}, {"message": "The buffer is full."}),
        (429, {"Retry-After": "100000"}, {}),
        (502, {}, b"<html>"),
        (BROKEN, {}, None),
    ]
    waits = Waits(server.url)
    with waits.sender as sender:
        assert sender.send(batch_of([1])).accepted == 1
    assert server.times == [[1]] * 5
    assert waits.slept == [7.0, MAX_RETRY_AFTER_S, 2.0, 4.0]
    assert waits.said[0] == "The server answered 503: The buffer is full. Trying again in 7 s."


def test_waits_are_bounded() -> None:
    assert [wait_s(attempt, None) for attempt in (1, 2, 5, 6, 50)] == [0.5, 1.0, 8.0, 15.0, 15.0]
    assert wait_s(1, "soon") == 0.5


def test_a_server_that_stays_away_is_given_up() -> None:
    waits = Waits(f"http://127.0.0.1:{free_port()}/ingest/x")
    with waits.sender as sender, pytest.raises(ImportFailed, match="Given up after"):
        sender.send(batch_of([1]))
    assert len(waits.slept) == MAX_ATTEMPTS - 1


def test_too_large_is_sent_in_halves_with_the_right_lines(server: Server) -> None:
    refused = (413, {}, {"message": "too large"})
    fault = {"accepted": 1, "rejected": 1, "errors": [{"index": 1, "message": "late"}]}
    server.answers = [refused, (200, {}, {"accepted": 2, "rejected": 0}), (200, {}, fault)]
    with Waits(server.url).sender as sender:
        outcome = sender.send(batch_of([1, 2, 3, 4]))
    assert server.times == [[1, 2, 3, 4], [1, 2], [3, 4]]
    assert (outcome.accepted, outcome.rejected) == (3, 1)
    assert [fault.line for fault in outcome.faults] == [40]


@pytest.mark.parametrize("counted", [{}, {"accepted": 0, "rejected": 0}])
@pytest.mark.parametrize("status", [301, 400, 401, 404, 413, 415, 422])
def test_a_refusal_ends_the_import_at_once(
    server: Server, status: int, counted: dict[str, int]
) -> None:
    server.answers = [(status, {}, {"message": "No.", **counted})]
    waits = Waits(server.url)
    with waits.sender as sender, pytest.raises(ImportFailed, match=f"{status}: No."):
        sender.send(batch_of([1]))
    assert waits.slept == []


@pytest.mark.parametrize("url", ["localhost:8000/ingest/x", "ftp://x/ingest", "http://", "x"])
def test_what_is_no_url_is_not_tried(url: str) -> None:
    with pytest.raises(ImportFailed, match="is not a URL"):
        Sender(url, KEY, notice=print)


def test_a_key_with_other_characters_is_not_sent() -> None:
    with pytest.raises(ImportFailed, match="key"):
        Sender("http://127.0.0.1/", "tfi_é", notice=print)
