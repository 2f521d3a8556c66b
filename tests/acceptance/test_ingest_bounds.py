"""Every bound at N and N+1."""

import gzip
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import zstandard
from support.exposition import eventually
from support.server import RunningServer, start_server
from support.stored import NOTHING, learned, stored
from support.wire import Wire, chunk, padded, request

from twin.db.pool import conninfo

T0 = 1_700_000_000
BODY_BYTES, INFLATED_BYTES, READINGS = 20_000, 60_000, 50


def too_large(answer: Any) -> None:
    """Check a 413 in the contract's shape."""
    assert answer.status_code == 413, answer.text
    told = answer.json()
    assert (told["error"], told["status"]) == ("PAYLOAD_TOO_LARGE", 413)
    assert told["message"] == told["detail"]


@pytest.fixture(scope="module")
def small(new_database: Any) -> Iterator[RunningServer]:
    """A server with small bounds."""
    with start_server(
        new_database(),
        max_body_bytes=str(BODY_BYTES),
        max_decompressed_bytes=str(INFLATED_BYTES),
        max_readings=str(READINGS),
        max_keys="5",
        max_devices="3",
        max_labels="4",
        max_key_length="10",
        max_device_length="8",
        max_label_length="6",
    ) as server:
        yield server


def test_the_body(small: RunningServer) -> None:
    datasource = small.datasource()
    assert datasource.post(padded(BODY_BYTES)).status_code == 200
    too_large(datasource.post(padded(BODY_BYTES + 1)))
    assert learned(datasource)[2] == 1


def test_the_body_when_its_length_is_not_told(small: RunningServer) -> None:
    datasource = small.datasource()
    head = request(
        "POST",
        urlsplit(datasource.url).path,
        Authorization=datasource.key,
        Transfer_Encoding="chunked",
    )
    for size, status in ((BODY_BYTES, 200), (BODY_BYTES + 1, 413), (50 * BODY_BYTES, 413)):
        body = padded(size)
        parts = [chunk(body[i : i + 1000]) for i in range(0, size, 1000)]
        with Wire(small.url) as wire:
            try:
                wire.send(head, *parts, chunk(b""))
            except (BrokenPipeError, ConnectionResetError):
                assert status == 413  # refused before it was all sent
            answer = wire.read()
            assert answer is not None
            assert answer.status == status
    assert learned(datasource)[2] == 1


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_the_body_after_decompression(small: RunningServer, encoding: str) -> None:
    datasource = small.datasource()
    compress = gzip.compress if encoding == "gzip" else zstandard.compress
    fine = datasource.post(compress(padded(INFLATED_BYTES)), Content_Encoding=encoding)
    assert fine.status_code == 200, fine.text
    too_large(datasource.post(compress(padded(INFLATED_BYTES + 1)), Content_Encoding=encoding))
    parts = compress(padded(INFLATED_BYTES)) + compress(b" ")
    too_large(datasource.post(parts, Content_Encoding=encoding))
    assert learned(datasource)[2] == 1


@pytest.mark.parametrize("shape", ["array", "columns", "snapshot"])
def test_readings_of_a_request(small: RunningServer, shape: str) -> None:
    datasource = small.datasource(data_keys=[{"key": "a"}, {"key": "g.n"}])

    def body(count: int) -> Any:
        if shape == "array":
            return [{"ts": T0 + i, "a": i} for i in range(count)]
        if shape == "columns":
            return {"ts": [T0 + i for i in range(count)], "values": {"a": list(range(count))}}
        return {"g": {"m": [f"d{i % 3}" for i in range(count)], "n": list(range(count))}}

    for _ in range(2):
        assert datasource.post(body(READINGS)).json()["accepted"] == READINGS
        too_large(datasource.post(body(READINGS + 1)))
    # Without a time each request's readings are new.
    assert learned(datasource)[2] == READINGS * (2 if shape == "snapshot" else 1)


def test_keys(small: RunningServer) -> None:
    datasource = small.datasource()
    too_many = datasource.post({f"k{i}": 1 for i in range(6)})
    assert too_many.status_code == 422
    assert [e["key"] for e in too_many.json()["errors"]] == ["k5"]
    assert learned(datasource) == NOTHING
    assert datasource.post({f"k{i}": 1 for i in range(5)}).status_code == 200
    answer = datasource.post([{"k0": 2}, {"k0": 3, "new": 1}, {"k4": 4}]).json()
    assert (answer["accepted"], answer["errors"][0]["key"]) == (2, "new")
    assert learned(datasource)[0] == [f"k{i}" for i in range(5)]
    declared = [{"key": f"k{i}"} for i in range(6)]
    refused = small.post("/v1/datasources", {"name": "x", "data_keys": declared})
    assert refused.status_code == 422


def test_devices(small: RunningServer) -> None:
    datasource = small.datasource()
    body = [{"a": i, "device": f"d{i}"} for i in range(4)]
    answer = datasource.post(body).json()
    assert (answer["accepted"], answer["errors"][0]["key"]) == (3, "device")
    assert learned(datasource)[1] == ["d0", "d1", "d2"]
    assert datasource.post({"a": 1}).status_code == 422  # '' would be one more
    assert datasource.post(body[:3]).status_code == 200


def test_labels(small: RunningServer) -> None:
    datasource = small.datasource()
    body = [{"s": f"t{i}", "a": i} for i in range(5)]
    answer = datasource.post(body).json()
    assert (answer["accepted"], answer["errors"][0]["key"]) == (4, "s")
    assert "4 distinct texts" in answer["errors"][0]["message"]
    assert datasource.post({"s": "t4"}).status_code == 422
    assert datasource.post({"s": "t3"}).status_code == 200


@pytest.mark.parametrize(
    ("fine", "long", "key"),
    [
        ({"k" * 10: 1}, {"k" * 11: 1}, "k" * 11),
        ({"ö" * 10: 1}, {"ö" * 11: 1}, "ö" * 11),
        ({"a": 1, "device": "d" * 8}, {"a": 1, "device": "d" * 9}, "device"),
        ({"s": "ü" * 6}, {"s": "ü" * 7}, "s"),
        ({"x": {"y" * 8: 1}}, {"x": {"y" * 9: 1}}, "x." + "y" * 9),
    ],
)
def test_lengths(small: RunningServer, fine: Any, long: Any, key: str) -> None:
    datasource = small.datasource()
    answer = datasource.post(long)
    assert answer.status_code == 422
    assert [e["key"] for e in answer.json()["errors"]] == [key]
    assert learned(datasource) == NOTHING
    assert datasource.post(fine).status_code == 200


def test_requests_that_race_for_the_last_place(small: RunningServer) -> None:
    """Ten at once want a new key, device and label each; as many get one as there is room for."""
    datasource = small.datasource()
    statuses: list[int] = []

    def post(number: int) -> None:
        answer = datasource.post({f"k{number}": f"t{number}", "device": f"d{number}"})
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=post, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 3 + [422] * 7
    keys, devices, total = learned(datasource)
    assert (len(keys), len(devices), total) == (3, 3, 3)  # those refused left nothing behind
    assert all(len(values) == 1 for values in stored(datasource).values())


def test_the_buffer_is_bounded(database_url: str) -> None:
    """While the database is stuck, requests wait up to the bound; the next get 503 at once."""
    with (
        start_server(database_url, max_buffer_rows="100", writers="1") as server,
        psycopg.connect(conninfo(database_url)) as blocker,
    ):
        datasource = server.datasource()
        assert datasource.post({"ts": T0, "a": 0}).is_success
        with blocker.transaction():
            blocker.execute("LOCK TABLE ingest_log IN ACCESS EXCLUSIVE MODE")
            answers: list[Any] = []

            def post(number: int) -> None:
                body = [{"ts": T0 + number * 100 + i, "a": i} for i in range(40)]
                answers.append((number, datasource.post(body)))

            def is_stuck() -> bool:
                waiting = (
                    "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'ingest_log'::regclass"
                )
                return blocker.execute(waiting).fetchone() is not None

            threads = [threading.Thread(target=post, args=(i,)) for i in range(1, 13)]
            threads[0].start()
            eventually(is_stuck)
            for thread in threads[1:]:
                thread.start()
            # One is being written, two wait (80 rows of 100).
            eventually(lambda: len(answers) == 12 - 3)
            for _, answer in answers:
                assert answer.status_code == 503
                assert int(answer.headers["retry-after"]) == answer.json()["retry_after"]
                assert answer.json()["error"] == "OVERLOADED"
        for thread in threads:
            thread.join()
        accepted = [number for number, answer in answers if answer.status_code == 200]
        assert len(accepted) == 3
        assert learned(datasource)[2] == 1 + 3 * 40
        assert {us // 10**6 for _, us in stored(datasource)} == {T0} | {
            T0 + number * 100 + i for number in accepted for i in range(40)
        }


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_not_inflated(database_url: str, encoding: str) -> None:
    """A gigabyte of spaces in a few kilobytes costs the server no more than the bound."""
    if encoding == "gzip":
        part = gzip.compress(bytes(2**24).replace(b"\0", b" "), 9)
        bomb = part * 64
    else:
        bomb = zstandard.compress(b" " * 2**30)
    assert len(bomb) < 2**21
    with start_server(database_url) as server:
        datasource = server.datasource()
        main = psutil.Process(server.process.pid)
        processes = [main, *main.children(recursive=True)]
        before = sum(p.memory_info().rss for p in processes)
        peak = [before]
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.005):
                peak.append(sum(p.memory_info().rss for p in processes if p.is_running()))

        watcher = threading.Thread(target=watch)
        watcher.start()
        for _ in range(3):
            too_large(datasource.post(bomb, Content_Encoding=encoding))
        done.set()
        watcher.join()
        assert max(peak) - before < 250 * 2**20
        assert datasource.post({"a": 1}).status_code == 200
