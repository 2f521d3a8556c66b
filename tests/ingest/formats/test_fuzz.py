"""Whatever bytes come, a parser reads them or refuses them with an error of ours."""

import datetime
import io
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.parsing import parse

from ingest.formats.media import ARROW, CSV, NDJSON, PARQUET, XLSX
from ingest.inflate import Inflater
from twin.errors import TwinfeedError

fuzzed = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
TABLE = pa.table(
    {
        "time": pa.array([1_700_000_000_000, None, 1_700_000_002_000], pa.timestamp("ms", "UTC")),
        "device": pa.array(["a", None, "a"]).dictionary_encode(),
        "x": [1.5, None, -2.0],
        "n": pa.array([1, 2, None], pa.int16()),
        "on": [True, None, False],
        "s": ["über", "", None],
    }
)


def arrow(compression: str | None = None) -> bytes:
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(out, TABLE.schema, options=options) as writer:
        for _ in range(3):
            writer.write_table(TABLE)
    return out.getvalue()


def parquet(compression: str = "none") -> bytes:
    out = io.BytesIO()
    pq.write_table(TABLE, out, compression=compression)
    return out.getvalue()


def xlsx() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["time", "device", "x", "on", "s"])
    sheet.append([datetime.datetime(2024, 1, 1, 12), "a", 1.5, True, "text"])
    sheet.append([45_000.5, None, "x", None, "#N/A"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


REAL = {
    "arrow": (ARROW, arrow()),
    "arrow, zstd": (ARROW, arrow("zstd")),
    "arrow, lz4": (ARROW, arrow("lz4")),
    "parquet": (PARQUET, parquet()),
    "parquet, snappy": (PARQUET, parquet("snappy")),
    "xlsx": (XLSX, xlsx()),
    "csv": (CSV, b'time;device;x\n2024-01-01 12:00;a;"1,5"\n24.12.2025 13:05;"b\n""c""";2\n'),
    "ndjson": (NDJSON, b'{"ts":1700000000,"a":1,"b":{"c":true}}\n{"values":{"a":"x"}}\n'),
}


def attempt(media: str, body: bytes, piece: int = 0) -> None:
    refusal = refused(lambda: parse(media, body, piece=piece))
    assert refusal is None or (400 <= refusal.status < 500 and refusal.message)


def refused(read: Callable[[], object]) -> TwinfeedError | None:
    """The error of ours that reading ends in; any other fails the test."""
    try:
        read()
    except TwinfeedError as exc:
        return exc
    return None


@pytest.mark.parametrize("media", [NDJSON, CSV, XLSX, ARROW, PARQUET])
@fuzzed
@given(body=st.binary(max_size=300), piece=st.sampled_from([0, 1, 7]))
def test_any_bytes(media: str, body: bytes, piece: int) -> None:
    attempt(media, body, piece)


@pytest.mark.parametrize("name", [name for name, (media, _) in REAL.items() if media != PARQUET])
@fuzzed
@given(data=st.data())
def test_a_real_body_with_bytes_changed(name: str, data: st.DataObject) -> None:
    media, real = REAL[name]
    attempt(media, changed(real, data))


@pytest.mark.parametrize("name", ["parquet", "parquet, snappy"])
@settings(fuzzed, max_examples=40)  # a process each
@given(data=st.data())
def test_a_real_file_with_bytes_changed(name: str, data: st.DataObject) -> None:
    media, real = REAL[name]
    attempt(media, real[:4] + changed(real[4:-8], data) + real[-8:])


def changed(real: bytes, data: st.DataObject) -> bytes:
    body = bytearray(real)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["byte", "int", "cut", "double"])):
            case "byte":
                body[place] = data.draw(st.integers(0, 255))
            case "int":
                number = data.draw(st.sampled_from([-1, 0, 1, 2**31 - 1, 2**62, -(2**63)]))
                packed = struct.pack("<q", number)
                body[place : place + 8] = packed[: len(body) - place]
            case "cut":
                del body[place : place + data.draw(st.integers(1, 40))]
            case "double":
                body[place:place] = body[place : place + data.draw(st.integers(1, 40))]
        if not body:
            break
    return bytes(body)


@fuzzed
@given(data=st.data())
def test_a_real_workbook_with_its_xml_changed(data: st.DataObject) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(REAL["xlsx"][1])) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        touched = data.draw(st.sampled_from(names))
        for name in names:
            text = bytearray(old.read(name))
            if name == touched and text:
                place = data.draw(st.integers(0, len(text) - 1))
                junk = data.draw(
                    st.one_of(
                        st.binary(max_size=8),
                        st.sampled_from([b"<", b"&x;", b'"', b"99999999", b"<c/>", b"-1", b"1e99"]),
                    )
                )
                text[place : place + data.draw(st.integers(0, 8))] = junk
            new.writestr(name, bytes(text))
    attempt(XLSX, out.getvalue())


cell_text = st.one_of(
    st.sampled_from(
        ["", " ", "1", "1,5", "1.234,5", "NaN", "inf", "true", "24.12.2025 13:05", "46000.5"]
        + ["2024-01-01T00:00:00Z", "2024-13-45", "99.99.99", "1e999", "-1e5", "9" * 30, "-0"]
    ),
    st.text(max_size=12),
)


@fuzzed
@given(
    rows=st.lists(st.lists(cell_text, min_size=2, max_size=4), min_size=1, max_size=6),
    delimiter=st.sampled_from([",", ";", "\t"]),
    piece=st.sampled_from([0, 3]),
)
def test_any_cells(rows: list[list[Any]], delimiter: str, piece: int) -> None:
    lines = [
        delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row)
        for row in [["time", "a", "b"], *rows]
    ]
    text = "\r\n".join(lines) + "\r\n"
    attempt(CSV, text.encode("utf-8", "replace"), piece)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity"])
@fuzzed
@given(body=st.binary(max_size=200), piece=st.integers(1, 50))
def test_any_compressed_bytes(encoding: str, body: bytes, piece: int) -> None:
    inflater = Inflater(encoding, 2**20)

    def inflate() -> None:
        for start in range(0, len(body), piece):
            assert all(inflater.feed(body[start : start + piece]))
        inflater.finish()

    refusal = refused(inflate)
    assert refusal is None or 400 <= refusal.status < 500
