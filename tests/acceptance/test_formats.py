"""Tables and lines over HTTP: real recordings, what is wrong with a body, and what is kept."""

import gzip
import json
import socket
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.csv
import pytest
import zstandard
from support.server import Datasource, RunningServer, start_server
from support.stored import NOTHING, learned, stored
from support.tables import MAKERS, arrow, ndjson

from ingest.formats.media import ARROW, CSV, NDJSON, PARQUET, XLSX
from twin.clock import to_us

T0 = 1_700_000_000
T0_US = T0 * 1_000_000
SECOND = 1_000_000
ROWS = [{"ts": T0 + i, "device": f"d{i % 2}", "a": i + 0.5, "on": i % 2 == 0} for i in range(5)]
EXPECTED = {(f"d{i % 2}", T0_US + i * SECOND): {"a": i + 0.5, "on": i % 2 == 0} for i in range(5)}


formats = pytest.mark.parametrize("media", MAKERS)


@formats
@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
def test_every_format_stores_the_same(server: RunningServer, media: str, encoding: str) -> None:
    datasource = server.datasource()
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress}.get(encoding, bytes)
    for _ in range(2):  # first everything is new, then all of it is known
        answer = datasource.post(
            pack(MAKERS[media](ROWS)), Content_Type=media, Content_Encoding=encoding
        )
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"accepted": 5, "rejected": 0, "errors": []}
        assert stored(datasource) == EXPECTED
        assert learned(datasource)[2] == 5


@formats
def test_a_bad_reading_is_named_and_the_rest_kept(server: RunningServer, media: str) -> None:
    datasource = server.datasource(data_keys=[{"key": "on", "kind": "number"}])
    rows = [dict(row, on=1) for row in ROWS]
    rows[3]["ts"] = 4_000_000_000
    answer = datasource.post(MAKERS[media](rows), Content_Type=media)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["accepted"], told["rejected"]) == (4, 1)
    assert [(e["index"], e["key"]) for e in told["errors"]] == [(3, "ts")]
    assert len(stored(datasource)) == 4


@formats
def test_another_kind_than_before_is_rejected(server: RunningServer, media: str) -> None:
    datasource = server.datasource(data_keys=[{"key": "on", "kind": "number"}])
    rows = [dict(row, on="x", new=1) for row in ROWS]
    answer = datasource.post(MAKERS[media](rows), Content_Type=media)
    assert answer.status_code == 422, answer.text
    told = answer.json()
    assert (told["accepted"], told["rejected"], told["status"]) == (0, 5, 422)
    assert {(e["index"], e["key"]) for e in told["errors"]} == {(i, "on") for i in range(5)}
    assert learned(datasource) == (["on"], [], 0)


@formats
def test_strict_and_dry_run(server: RunningServer, media: str) -> None:
    datasource = server.datasource()
    bad = [*ROWS, dict(ROWS[0], ts=-5e9)]
    body = MAKERS[media](bad)
    answer = datasource.post(body, query="?strict=true", Content_Type=media)
    assert answer.status_code == 422, answer.text
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (0, 6)
    assert learned(datasource) == NOTHING

    answer = datasource.post(body, query="?dry_run=true", Content_Type=media)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["accepted"], told["rejected"], told["dry_run"]) == (5, 1, True)
    assert learned(datasource) == NOTHING
    if media != NDJSON:
        assert [(c["name"], c["role"], c.get("kind")) for c in told["columns"]] == [
            ("ts", "time", None),
            ("device", "device", None),
            ("a", "key", "number"),
            ("on", "key", "boolean"),
        ]

    answer = datasource.post(MAKERS[media](ROWS), query="?strict=true", Content_Type=media)
    assert answer.status_code == 200, answer.text
    assert stored(datasource) == EXPECTED


@formats
def test_without_a_time_column_it_is_the_time_of_receipt(server: RunningServer, media: str) -> None:
    datasource = server.datasource()
    rows = [{"a": float(i)} for i in range(4)]
    before = to_us(datetime.now(UTC))
    answer = datasource.post(MAKERS[media](rows), Content_Type=media)
    assert answer.status_code == 200, answer.text
    found = sorted((ts, values["a"]) for (_, ts), values in stored(datasource).items())
    assert [value for _, value in found] == [0, 1, 2, 3]
    assert [ts - found[0][0] for ts, _ in found] == [0, 1, 2, 3]
    assert abs(found[0][0] - before) < 60 * SECOND


@formats
def test_the_later_of_two_equal_times_wins(server: RunningServer, media: str) -> None:
    datasource = server.datasource()
    rows = [{"ts": T0, "a": 1.0}, {"ts": T0, "a": 2.0}]
    assert datasource.post(MAKERS[media](rows), Content_Type=media).json()["accepted"] == 2
    assert stored(datasource) == {("", T0_US): {"a": 2}}


@formats
@pytest.mark.parametrize("body", [b"", b"\x00" * 100, b"\xff\xfe\x00", b"PK\x03\x04", b"nonsense"])
def test_nonsense_is_a_4xx(server: RunningServer, media: str, body: bytes) -> None:
    datasource = server.datasource()
    answer = datasource.post(body, Content_Type=media)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["message"]
    assert learned(datasource) == NOTHING


@pytest.mark.parametrize("media", [XLSX, PARQUET])
def test_a_file_that_is_cut_off_is_a_400(server: RunningServer, media: str) -> None:
    datasource = server.datasource()
    whole = MAKERS[media](ROWS)
    for cut in (1, 20, len(whole) // 2):
        answer = datasource.post(whole[:-cut], Content_Type=media)
        assert answer.status_code == 400, answer.text
        assert "cut off" in answer.json()["message"]
    assert learned(datasource) == NOTHING


@pytest.mark.parametrize("media", [NDJSON, CSV, ARROW])
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_was_committed_before_the_body_broke_off_is_kept(
    server: RunningServer, media: str, encoding: str
) -> None:
    datasource = server.datasource()
    rows = [{"ts": T0 + i, "a": i / 7} for i in range(120_000)]
    table = pa.Table.from_pylist(rows)
    body = arrow(table) if media == ARROW else MAKERS[media](rows)
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress}[encoding]
    answer = datasource.post(pack(body)[:-300], Content_Type=media, Content_Encoding=encoding)
    assert answer.status_code == 400, answer.text
    told = answer.json()
    assert "ends too early" in told["message"]
    assert told["status"] == 400
    assert 0 <= told["accepted"] < 120_000
    if media != ARROW:  # whose one batch is broken
        assert told["accepted"] > 0
    assert learned(datasource)[2] == told["accepted"]


def test_a_sender_that_stops_midway_is_told_what_was_kept(server: RunningServer) -> None:
    datasource = server.datasource()
    rows = ndjson([{"ts": T0 + i, "a": i} for i in range(60_000)]) + b"\n"
    target = urlsplit(datasource.url)
    assert target.hostname
    assert target.port
    with socket.create_connection((target.hostname, target.port), timeout=20) as sock:
        head = (
            f"POST {target.path} HTTP/1.1\r\nHost: test\r\nAuthorization: {datasource.key}\r\n"
            f"Content-Type: {NDJSON}\r\nContent-Length: {2 * len(rows)}\r\n\r\n"
        )
        sock.sendall(head.encode() + rows)
        sock.shutdown(socket.SHUT_WR)
        reply = sock.recv(2**16)
    kept = learned(datasource)[2]
    assert kept > 0
    assert reply.startswith(b"HTTP/1.1 400")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["accepted"] == kept


def test_a_stream_may_be_longer_than_other_bodies(database_url: str) -> None:
    with start_server(
        database_url, max_body_bytes="20000", max_readings="1000", max_stream_bytes="200000"
    ) as server:
        datasource = server.datasource()
        rows = [{"ts": T0 + i, "a": i} for i in range(5000)]
        assert datasource.post(rows).status_code == 413
        for media in (NDJSON, CSV, ARROW):
            answer = datasource.post(MAKERS[media](rows), Content_Type=media)
            assert answer.status_code == 200, answer.text
            assert answer.json()["accepted"] == 5000
            strict = datasource.post(MAKERS[media](rows), query="?strict=true", Content_Type=media)
            assert strict.status_code == 413, strict.text
            packed = gzip.compress(MAKERS[media](rows * 20))
            long = datasource.post(packed, Content_Type=media, Content_Encoding="gzip")
            assert long.status_code == 413, long.text
        for media in (XLSX, PARQUET):
            assert datasource.post(MAKERS[media](rows), Content_Type=media).status_code == 413


def test_more_readings_than_a_stream_may_hold(database_url: str) -> None:
    with start_server(database_url, max_stream_readings="100") as server:
        for media, make in MAKERS.items():
            datasource = server.datasource(media)
            rows = [{"ts": T0 + i, "a": i} for i in range(100)]
            assert datasource.post(make(rows), Content_Type=media).json()["accepted"] == 100
            rows.append({"ts": T0 + 100, "a": 100})
            answer = datasource.post(make(rows), Content_Type=media)
            assert answer.status_code == 413, answer.text


def test_the_document_lists_the_media_types(server: RunningServer) -> None:
    document = server.get("/openapi.json").json()
    content = document["paths"]["/ingest/{datasource_id}"]["post"]["requestBody"]["content"]
    assert set(content) >= {"application/json", *MAKERS}


def test_learning_goes_on_part_by_part(own_server: RunningServer) -> None:
    datasource: Datasource = own_server.datasource()
    rows = [
        {"ts": T0 + i, "device": f"d{i // 1000}", "a": i, "s": f"t{i // 5000}"}
        for i in range(50_000)
    ]
    answer = datasource.post(MAKERS[CSV](rows), Content_Type=CSV)
    assert answer.json() == {"accepted": 50_000, "rejected": 0, "errors": []}
    keys, devices, total = learned(datasource)
    assert (keys, len(devices), total) == (["a", "s"], 50, 50_000)
