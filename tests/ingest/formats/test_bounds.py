"""Bodies that would expand: refused before they do."""

import io
import tracemalloc
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from support.parsing import MAX_BYTES, parse

from ingest.formats.arrow_message import expanded_bytes, frame
from ingest.formats.media import ARROW, NDJSON, PARQUET, XLSX
from ingest.formats.part import MAX_RECORD_BYTES
from ingest.formats.xlsx_guard import XML_FACTOR
from ingest.inflate import Inflater
from twin.errors import Invalid, TooLarge, Unreadable


def workbook(change: tuple[str, str, str] | None = None, *, extra: int = 0) -> bytes:
    """A workbook; in one entry a text is replaced; with an entry of `extra` zeros."""
    book = openpyxl.Workbook()
    for row in (["a", "b"], [1, 2], [3, 4]):
        book.worksheets[0].append(row)
    saved, out = io.BytesIO(), io.BytesIO()
    book.save(saved)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name).decode()
            if change and name == change[0]:
                assert change[1] in text
                text = text.replace(change[1], change[2])
            new.writestr(name, text)
        if extra:
            new.writestr("xl/media/image.bin", bytes(extra))
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def test_a_workbook_is_read_up_to_the_bound() -> None:
    assert parse(XLSX, workbook()).values == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    assert len(parse(XLSX, workbook(extra=XML_FACTOR * MAX_BYTES - 2**20)).values) == 2
    with pytest.raises(TooLarge, match="expands"):
        parse(XLSX, workbook(extra=XML_FACTOR * MAX_BYTES))


@pytest.mark.parametrize(
    "change",
    [
        (SHEET, 'r="B3"', 'r="XFD1048576"'),
        (SHEET, 'r="B3"', 'r="B1048576000"'),
        (SHEET, 'r="B3"', 'r="ZZZZ3"'),
        (SHEET, '<row r="3">', "<row/>" * 2_000_000 + '<row r="3">'),
    ],
)
def test_cells_far_apart_are_no_rectangle_of_memory(change: tuple[str, str, str]) -> None:
    with pytest.raises(TooLarge):
        parse(XLSX, workbook(change))


def test_a_directory_that_understates_is_not_believed() -> None:
    body = bytearray(workbook(extra=100_000))
    real = (100_000).to_bytes(4, "little")
    assert real in body
    with pytest.raises(Unreadable):
        parse(XLSX, bytes(body.replace(real, (10).to_bytes(4, "little"))))


def test_a_zip_that_is_no_workbook() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(Unreadable, match="not an xlsx"):
        parse(XLSX, out.getvalue())


def test_an_arrow_message_that_expands_is_refused_before_it_is_read() -> None:
    zeros = pa.record_batch({"a": pa.array([0.0] * (MAX_BYTES // 4))})
    out = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(out, zeros.schema, options=options) as writer:
        writer.write_batch(zeros)
    assert len(out.getvalue()) < 20_000
    with pytest.raises(TooLarge):
        parse(ARROW, out.getvalue())


def test_the_size_of_a_message_is_told_without_reading_it() -> None:
    batch = pa.record_batch({"a": pa.array([0.0] * 1000), "s": ["x"] * 1000})
    for compression in (None, "zstd", "lz4"):
        options = pa.ipc.IpcWriteOptions(compression=compression)
        out = io.BytesIO()
        with pa.ipc.new_stream(out, batch.schema, options=options) as writer:
            writer.write_batch(batch)
        body = bytearray(out.getvalue())
        schema = frame(body)
        assert schema is not None
        assert not schema.is_batch
        del body[: schema.size]
        found = frame(body)
        assert found is not None
        assert found.is_batch
        message = bytes(body[: found.size])
        assert 8000 + 5000 <= expanded_bytes(message) <= 14_000


def test_an_arrow_stream_that_ends_within_a_message() -> None:
    batch = pa.record_batch({"a": [1.0, 2.0]})
    out = io.BytesIO()
    with pa.ipc.new_stream(out, batch.schema) as writer:
        writer.write_batch(batch)
        writer.write_batch(batch)
    body = out.getvalue()
    assert len(parse(ARROW, body).values) == 4
    assert len(parse(ARROW, body[:-8]).values) == 4  # without the end that a writer may omit
    with pytest.raises(Unreadable, match="after 2 rows"):
        parse(ARROW, body[:-20])


@pytest.mark.parametrize("type_", [pa.list_(pa.int8()), pa.struct({"x": pa.int8()}), pa.binary()])
def test_types_that_are_not_read_are_refused_by_name(type_: pa.DataType) -> None:
    out = io.BytesIO()
    schema = pa.schema({"a": pa.float64(), "odd": type_})
    with pa.ipc.new_stream(out, schema) as writer:
        writer.write_batch(pa.record_batch([pa.array([1.0]), pa.nulls(1, type_)], schema=schema))
    with pytest.raises(Invalid, match="odd"):
        parse(ARROW, out.getvalue())


def test_a_parquet_file_that_expands() -> None:
    out = io.BytesIO()
    rows = 90_000
    table = pa.table({f"k{i}": pa.array([0.0] * rows) for i in range(12)})
    pq.write_table(table, out)
    assert len(out.getvalue()) < 100_000
    with pytest.raises(TooLarge, match="expands"):
        parse(PARQUET, out.getvalue())
    out = io.BytesIO()
    pq.write_table(pa.table({"a": pa.array([0.0] * 100_001)}), out)
    with pytest.raises(TooLarge, match="100001"):
        parse(PARQUET, out.getvalue())


def test_a_long_text_repeated_stays_one_text() -> None:
    out = io.BytesIO()
    long = "x" * 100_000
    pq.write_table(pa.table({"s": [long] * 10_000}), out)
    assert len(parse(PARQUET, out.getvalue()).values) == 10_000


def test_a_line_may_not_be_longer_than_the_bound() -> None:
    line = b'{"a":1,"pad":"' + b"x" * (MAX_RECORD_BYTES + 2**20) + b'"}'
    with pytest.raises(TooLarge, match="Line 1"):
        parse(NDJSON, line, piece=2**18)


def test_a_zstd_bomb_is_undone_in_pieces() -> None:
    bomb = zstandard.compress(bytes(200 * 2**20))
    inflater = Inflater("zstd", 100 * 2**20)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            for _ in inflater.feed(bomb):
                pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * 2**20
