"""Tables and lines over HTTP: real recordings, what is wrong with a body, and what is kept."""

import csv
import gzip
import io
import json
import socket
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import zstandard
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from support.server import Datasource, RunningServer, start_server
from support.stored import NOTHING, learned, stored

from ingest.formats.media import ARROW, CSV, NDJSON, PARQUET, XLSX
from twin.clock import to_us

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
T0 = 1_700_000_000
T0_US = T0 * 1_000_000
SECOND = 1_000_000
ROWS = [{"ts": T0 + i, "device": f"d{i % 2}", "a": i + 0.5, "on": i % 2 == 0} for i in range(5)]
EXPECTED = {(f"d{i % 2}", T0_US + i * SECOND): {"a": i + 0.5, "on": i % 2 == 0} for i in range(5)}


def ndjson(rows: list[dict[str, Any]]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def csv_text(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def arrow(rows: list[dict[str, Any]] | pa.Table) -> bytes:
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def parquet(rows: list[dict[str, Any]] | pa.Table) -> bytes:
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(rows)
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def xlsx(rows: list[dict[str, Any]]) -> bytes:
    return workbook({"Sheet1": [list(rows[0]), *(list(row.values()) for row in rows)]})


def workbook(sheets: dict[str, list[list[Any]]], *, is_1904: bool = False) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    if is_1904:
        book.epoch = CALENDAR_MAC_1904
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


MAKERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    NDJSON: ndjson,
    CSV: csv_text,
    XLSX: xlsx,
    ARROW: arrow,
    PARQUET: parquet,
}
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


RECORDINGS = {
    "machine_temperature.csv": ",",
    "pump_testbed_0.csv": ";",
    "pump_testbed_1.csv": ";",
    "pump_testbed_2.csv": ";",
}


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("media", [CSV, XLSX, ARROW, PARQUET])
def test_a_recording_is_stored_as_it_is_in_the_file(
    server: RunningServer, name: str, media: str
) -> None:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    with path.open(newline="") as file:
        header, *lines = csv.reader(file, delimiter=RECORDINGS[name])
    expected = {}
    for moment, *cells in lines:
        ts_us = to_us(datetime.fromisoformat(moment).replace(tzinfo=UTC))
        expected["", ts_us] = dict(zip(header[1:], map(float, cells), strict=True))
    datasource = server.datasource(name)
    answer = datasource.post(_as(media, path, header, lines), Content_Type=media)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"accepted": len(lines), "rejected": 0, "errors": []}
    found = stored(datasource)
    assert found.keys() == expected.keys()
    for place, values in expected.items():  # openpyxl writes 16 digits
        near = pytest.approx(values, rel=1e-14) if media == XLSX else values
        assert found[place] == near


def _as(media: str, path: Path, header: list[str], lines: list[list[str]]) -> bytes:
    if media == CSV:
        return path.read_bytes()
    if media == XLSX:
        rows = [[datetime.fromisoformat(t), *map(float, cells)] for t, *cells in lines]
        return workbook({"data": [header, *rows]})
    options = pyarrow.csv.ParseOptions(delimiter=RECORDINGS[path.name])
    table = pyarrow.csv.read_csv(path, parse_options=options)
    return arrow(table) if media == ARROW else parquet(table)


def test_a_german_export_goes_in_as_it_is(server: RunningServer) -> None:
    datasource = server.datasource(timezone="Europe/Berlin")
    text = (
        "Zeitstempel;Gerät;Größe in m²;an;Text\r\n"
        '24.12.2024 13:05;Presse 1;1.234,5;WAHR;"über\n""zwei"" Zeilen"\r\n'
        "24.12.2024 13:05:30,5;Presse 1;-0,25;FALSCH;\r\n"
        ";;;;\r\n"
        "31.02.2024 00:00;Presse 1;1;;\r\n"
    )
    expected = {
        ("Presse 1", to_us(datetime(2024, 12, 24, 12, 5, tzinfo=UTC))): {
            "Größe in m²": 1234.5,
            "an": True,
            "Text": 'über\n"zwei" Zeilen',
        },
        ("Presse 1", to_us(datetime(2024, 12, 24, 12, 5, 30, 500_000, tzinfo=UTC))): {
            "Größe in m²": -0.25,
            "an": False,
        },
    }
    for encoding in ("utf-8", "utf-8-sig", "cp1252", "utf-16"):
        answer = datasource.post(text.encode(encoding), Content_Type=CSV)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["accepted"], told["rejected"]) == (2, 1)
        assert [(e["index"], e["key"]) for e in told["errors"]] == [(3, "Zeitstempel")]
        assert stored(datasource) == expected


def test_parameters_say_what_names_do_not(server: RunningServer) -> None:
    datasource = server.datasource()
    body = "when|who|a\n2024-06-01 12:00|x|1,5\n"
    query = "?time_column=When&device_column=who&delimiter=|&decimal=,&tz=Europe/Berlin"
    answer = datasource.post(body, query=query, Content_Type=CSV)
    assert answer.status_code == 200, answer.text
    at_us = to_us(datetime(2024, 6, 1, 10, tzinfo=UTC))
    assert stored(datasource) == {("x", at_us): {"a": 1.5}}


@pytest.mark.parametrize(
    ("query", "body", "word"),
    [
        ("?time_column=zzz", "ts,a\n1,2\n", "zzz"),
        ("?device_column=zzz", "ts,a\n1,2\n", "zzz"),
        ("?delimiter=ab", "ts,a\n1,2\n", "delimiter"),
        ("?decimal=x", "ts,a\n1,2\n", "decimal"),
        ("?tz=Mars/Base", "ts,a\n1,2\n", "tz"),
        ("?tz=../../etc/passwd", "ts,a\n1,2\n", "tz"),
        ("", "ts,a,b,a\n1,2,3,4\n", "'a'"),
        ("", "ts\n1\n", "ts"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(
    server: RunningServer, query: str, body: str, word: str
) -> None:
    datasource = server.datasource()
    answer = datasource.post(body, query=query, Content_Type=CSV)
    assert answer.status_code == 422, answer.text
    assert word in answer.json()["message"]
    assert learned(datasource) == NOTHING


@pytest.mark.parametrize("is_1904", [False, True])
def test_a_workbook_in_either_date_system(server: RunningServer, is_1904: bool) -> None:
    datasource = server.datasource(timezone="Europe/Berlin")
    serial = 45_000.25 - 1462 * is_1904  # 2023-03-15 06:00
    body = workbook(
        {
            "Notes": [["nothing", "here"], [1, 2]],
            "Data": [
                [],
                ["Time", "Device", "a", "b", "when", "calc"],
                [datetime(2024, 12, 24, 13, 5), "m1", 1.5, True, date(2024, 1, 2), "=1+1"],
                [None, None, None, None, None, None],
                [serial, "m2", "2,5", None, None, None],
                ["24.12.2024 14:00", 7, "x", False, None, None],
            ],
        },
        is_1904=is_1904,
    )
    answer = datasource.post(body, query="?sheet=Data", Content_Type=XLSX)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["accepted"], told["rejected"]) == (2, 1)
    assert [(e["index"], e["key"]) for e in told["errors"]] == [(3, "a")]
    assert stored(datasource) == {
        ("m1", to_us(datetime(2024, 12, 24, 12, 5, tzinfo=UTC))): {
            "a": 1.5,
            "b": True,
            "when": "2024-01-02",
        },
        ("m2", to_us(datetime(2023, 3, 15, 5, tzinfo=UTC))): {"a": 2.5},
    }
    answer = datasource.post(body, query="?sheet=Nope", Content_Type=XLSX)
    assert answer.status_code == 422
    assert "Notes, Data" in answer.json()["message"]


def test_types_of_arrow(server: RunningServer) -> None:
    datasource = server.datasource(timezone="Europe/Berlin")
    moments = pa.array([T0, T0 + 1], pa.int64())
    for unit, factor in (("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)):
        times = pa.array(
            [t * factor for t in moments.to_pylist()], pa.timestamp(unit, "Asia/Tokyo")
        )
        table = pa.table(
            {
                "time": times,
                "device": pa.array(["x", "y"]).dictionary_encode(),
                "n": pa.array([1, None], pa.uint16()),
                "f": pa.array([None, 2.5], pa.float32()),
                "s": pa.array(["on", "off"], pa.large_string()),
                "nothing": pa.nulls(2),
            }
        )
        for media, make in ((ARROW, arrow), (PARQUET, parquet)):
            assert datasource.post(make(table), Content_Type=media).json()["accepted"] == 2
            assert stored(datasource) == {
                ("x", T0_US): {"n": 1, "s": "on"},
                ("y", T0_US + SECOND): {"f": 2.5, "s": "off"},
            }
    nested = pa.table({"time": moments, "a": [[1], [2]]})
    for media, make in ((ARROW, arrow), (PARQUET, parquet)):
        answer = datasource.post(make(nested), Content_Type=media)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["key"] == "a"


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
