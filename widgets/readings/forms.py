"""The forms in which readings are sent: JSON, CSV, Arrow and Parquet. Pure: tables in, bytes out.

An encoder is given tables part by part and hands out what is ready; only Parquet keeps more than a
part, its index of row groups.
"""

import csv
import io
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from twin.errors import Invalid, ItemError
from widgets.readings.table import with_text_times


class Form(msgspec.Struct, frozen=True):
    """A form: its name in `format=`, its media type, the ending of file names."""

    name: str
    media_type: str
    ending: str


JSON = Form("json", "application/json", "json")
CSV = Form("csv", "text/csv; charset=utf-8; header=present", "csv")
ARROW = Form("arrow", "application/vnd.apache.arrow.stream", "arrows")
PARQUET = Form("parquet", "application/vnd.apache.parquet", "parquet")
FILES = {form.name: form for form in (CSV, PARQUET, ARROW)}
"""What an export can be."""


class Encoder(Protocol):
    """Writes one body."""

    def add(self, table: Any) -> bytes:
        """Take a table; return what can be sent now."""

    def end(self) -> bytes:
        """Return the end of the body."""


def encoder(form: Form, schema: Any) -> Encoder:
    """Return a new encoder of tables with an Arrow schema."""
    if form is CSV:
        return _Csv()
    return _Parquet(schema) if form is PARQUET else _Arrow(schema)


def whole(form: Form, table: Any) -> bytes:
    """Return one table as a whole body."""
    writer = encoder(form, table.schema)
    return writer.add(table) + writer.end()


def records(table: Any) -> list[dict[str, Any]]:
    """Return a table's rows as JSON objects; what a row lacks is null in it."""
    found: list[dict[str, Any]] = with_text_times(table).to_pylist()
    return found


def file_form(name: str) -> Form:
    """Return the form of `format=`. Raises Invalid naming the allowed ones."""
    form = FILES.get(name)
    if form is None:
        problem = f"format must be one of {', '.join(FILES)}"
        raise Invalid(f"{problem}.", errors=[ItemError(key="format", message=problem)])
    return form


def accepted(accept: str, offered: Sequence[Form]) -> Form:
    """Return the offered form that an Accept header likes best; the first when it names none."""
    best, quality = offered[0], 0.0
    for part in accept.lower().split(","):
        media, *params = (text.strip() for text in part.split(";"))
        weight = next((_number(p[2:]) for p in params if p.startswith("q=")), 1.0)
        for form in offered:
            if form.media_type.partition(";")[0] == media and weight > quality:
                best, quality = form, weight
    return best


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


class _Csv:
    """RFC 4180; a table's texts are quoted only where one of them has to be."""

    def __init__(self) -> None:
        self._has_header = False

    def add(self, table: Any) -> bytes:
        table = with_text_times(table)
        style = "needed" if any(map(_needs_quotes, table.columns[1:])) else "none"
        sink = pa.BufferOutputStream()
        pacsv.write_csv(table, sink, pacsv.WriteOptions(include_header=False, quoting_style=style))
        rows = bytes(sink.getvalue())
        if self._has_header:
            return rows
        self._has_header = True
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow(table.schema.names)
        return header.getvalue().encode() + rows

    def end(self) -> bytes:
        return b""


def _needs_quotes(column: Any) -> bool:
    if not pa.types.is_string(column.type):
        return False
    return bool(pc.any(pc.match_substring_regex(column, '[",\r\n]')).as_py())


class _Sink:
    """A file that only grows, and hands out what was written to it."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class _Arrow:
    def __init__(self, schema: Any) -> None:
        self._sink = _Sink()
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._sink, mode="w"), schema)

    def add(self, table: Any) -> bytes:
        self._writer.write_table(table)
        return self._sink.take()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.take()


class _Parquet:
    def __init__(self, schema: Any) -> None:
        self._sink = _Sink()
        texts = [field.name for field in schema if pa.types.is_string(field.type)]
        # Snappy, which every reader knows; doubles hardly repeat, so a dictionary only costs.
        self._writer = pq.ParquetWriter(
            pa.PythonFile(self._sink, mode="w"),
            schema,
            compression="snappy",
            use_dictionary=texts,
        )

    def add(self, table: Any) -> bytes:
        self._writer.write_table(table)
        return self._sink.take()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.take()
