"""CSV → columns, piece by piece. pyarrow cuts records into cells; what cells mean is told here."""

import csv
import io
import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ingest.columns import Bools, Column, Columns, Texts
from ingest.formats import cells
from ingest.formats.cell_times import Times, put_texts
from ingest.formats.csv_text import Decoder, is_open, record_end
from ingest.formats.layout import Layout, find_layout
from ingest.formats.part import CHUNK_BYTES, MAX_RECORD_BYTES, PART_ROWS, Part, Request, Taken
from twin.batch import Int64s
from twin.errors import Invalid, ItemError, TooLarge, Unreadable
from twin.schema import Kind

DELIMITERS = (",", ";", "\t", "|")
_QUOTED = re.compile(r'"[^"]*"')
_EXCEL_SEP = re.compile(rb'\A"?sep=([^"\r\n])"?\r?\n', re.IGNORECASE)
"""Excel's own way to name the delimiter, in a line before the header."""
_KIND_WORDS = {"number": "a number", "boolean": "true or false"}


class CsvParser:
    """Reads one CSV body: a header record, then readings."""

    def __init__(self, request: Request, delimiter: str | None = None) -> None:
        """Begin a body; `delimiter` is the media type's own."""
        self._request = request
        self._given = request.options.delimiter or delimiter
        self._decoder = Decoder(request.charset)
        self._rest = bytearray()
        self._table: TextTable | None = None
        self._delimiter = b","
        self._rows = 0

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield the records that are complete, many at a time."""
        self._rest += self._decoder.decode(data)
        if len(self._rest) >= CHUNK_BYTES:
            yield from self._complete()
        if len(self._rest) > CHUNK_BYTES + MAX_RECORD_BYTES:
            raise TooLarge(
                f"A record of the CSV body is longer than the {MAX_RECORD_BYTES} bytes allowed, "
                f"or a quote is never closed, after {self._rows} data rows."
            )

    def flush(self) -> Iterator[Part]:
        """Yield nothing: kinds are told by many records, not by how fast they come."""
        yield from ()

    def finish(self) -> Iterator[Part]:
        """Yield the rest; the last record needs no line end."""
        self._rest += self._decoder.decode(b"", final=True)
        if self._rest and not self._rest.endswith(b"\n"):
            self._rest += b"\n"
        yield from self._complete()
        if self._rest.strip() or is_open(bytes(self._rest), self._delimiter):
            raise Unreadable(
                f"The CSV body ends within a quoted cell, after {self._rows} data rows."
            )
        if self._table is None:
            raise Unreadable("The CSV body is empty: send a header and a reading a record.")
        if not self._rows:
            raise Unreadable("The CSV body has a header and no readings.")

    def taken(self) -> list[Taken]:
        """Return what each column was taken for."""
        return self._table.taken() if self._table else []

    def _complete(self) -> Iterator[Part]:
        if self._table is None and not self._read_header():
            return
        assert self._table is not None
        end = record_end(self._rest, self._delimiter)
        if not end:
            return
        whole = bytes(self._rest[:end])
        del self._rest[:end]
        yield from self._parts(whole)

    def _read_header(self) -> bool:
        """Return whether the header is there."""
        self._rest = self._rest.lstrip(b"\r\n")
        found = _EXCEL_SEP.match(self._rest)
        if found:
            self._given = self._given or found[1].decode()
            del self._rest[: found.end()]
        line_end = self._rest.find(b"\n") + 1
        if not line_end:
            return False
        delimiter = self._given or _delimiter_of(self._rest[:line_end].decode())
        self._delimiter = delimiter.encode()
        while is_open(bytes(self._rest[:line_end]), self._delimiter):
            line_end = self._rest.find(b"\n", line_end) + 1
            if not line_end:
                return False
        text = self._rest[:line_end].decode()
        del self._rest[:line_end]
        try:
            (names,) = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        except (csv.Error, ValueError) as exc:
            raise Unreadable("The header of the CSV body cannot be read.") from exc
        header = [name.strip() for name in names]
        if not any(header):
            raise Invalid("The header of the CSV body names no column.")
        self._table = TextTable(header, delimiter, self._request)
        return True

    def _parts(self, whole: bytes) -> Iterator[Part]:
        assert self._table is not None
        if not whole.strip(b"\r\n"):
            return
        uneven: list[tuple[int, int]] = []
        table = _cells(whole, self._table.width, self._delimiter.decode(), uneven)
        rows = table.num_rows + len(uneven)
        is_even = np.ones(rows, dtype=np.bool_)
        is_even[[row for row, _ in uneven]] = False
        index = np.flatnonzero(is_even) + self._rows
        first, self._rows = self._rows, self._rows + rows
        faults = [
            ItemError(
                f"the record has {n} cells where the header has {self._table.width}",
                index=first + row,
            )
            for row, n in uneven
        ]
        for start in range(0, max(table.num_rows, 1), PART_ROWS):
            part = table.slice(start, PART_ROWS)
            yield self._table.columns(part, index[start : start + PART_ROWS], faults)
            faults = []


class TextTable:
    """Columns of text cells: what they are for, and of what kind. A kind once found stays."""

    def __init__(self, header: list[str], delimiter: str, request: Request) -> None:
        """Find the layout. Raises Invalid."""
        self._header = header
        self._layout: Layout = find_layout(header, request.options)
        self._delimiter = delimiter
        self._request = request
        self._decimal = request.options.decimal
        self._kinds: dict[str, Kind] = {}
        self._time_format = ""

    @property
    def width(self) -> int:
        """How many cells a record has."""
        return len(self._header)

    def taken(self) -> list[Taken]:
        """Return what each column was taken for."""
        found = []
        for place, name in enumerate(self._header):
            if place == self._layout.time:
                found.append(Taken(name, "time", format=self._time_format))
            elif place == self._layout.device:
                found.append(Taken(name, "device"))
            elif not name:
                found.append(Taken(name, "left out"))
            else:
                kind = self._kinds.get(name)
                mark = {",": "decimal comma", ".": "decimal point"}.get(self._decimal or "", "")
                found.append(Taken(name, "key", kind, mark if kind == "number" else ""))
        return found

    def columns(self, table: pa.Table, index: Int64s, uneven: list[ItemError]) -> Columns:
        """Return a table of strings as columns; `index` int64[n]: places in the request."""
        arrays = [_trimmed(column) for column in table.columns]
        held = np.zeros(len(index), dtype=np.bool_)
        for array in arrays:
            held |= array.is_valid().to_numpy(zero_copy_only=False)
        if not held.all():  # records of nothing but delimiters: what Excel leaves below a table
            arrays = [array.filter(pa.array(held)) for array in arrays]
            index = index[held]
        layout, context = self._layout, self._request.context
        keys = [(name, arrays[place]) for place, name in layout.keys]
        if self._decimal is None and len(index):
            self._decimal = cells.decimal_mark((array for _, array in keys), self._delimiter)
        time_name = "" if layout.time is None else self._header[layout.time]
        times = Times(context, index, time_name)
        if layout.time is not None and len(index):
            self._time_format = put_texts(times, arrays[layout.time], context) or self._time_format
        devices = (
            Texts(np.full(len(index), -1, dtype=np.int32), [])
            if layout.device is None
            else cells.text_column(arrays[layout.device])
        )
        faults = [*uneven, *times.faults]
        columns = []
        for name, array in keys:
            column, bad = self._column(name, array)
            if column is None:
                continue
            columns.append(column)
            faults += [
                ItemError(self._fault(column.kind, array[row].as_py()), int(index[row]), name[:200])
                for row in np.flatnonzero(bad).tolist()
            ]
        return Columns(index, times.ts_us, devices, columns, faults, len(uneven))

    def _column(self, name: str, array: pa.StringArray) -> tuple[Column | None, Bools]:
        none = np.zeros(len(array), dtype=np.bool_)
        decimal = self._decimal or "."
        kind = self._kinds.get(name) or self._request.known_kind(name)
        kind = kind or cells.kind_of_cells(array, decimal)
        if kind is None:
            return None, none
        self._kinds[name] = kind
        if kind == "text":
            return Column(name, kind, cells.text_column(array)), none
        found, bad = cells.numbers(array, decimal) if kind == "number" else cells.booleans(array)
        return Column(name, kind, found), bad

    def _fault(self, kind: Kind, text: str) -> str:
        if kind == "number" and text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
            return "must be a finite number"
        mark = " with a decimal comma" if kind == "number" and self._decimal == "," else ""
        return f"'{text[:40]}' is not {_KIND_WORDS[kind]}{mark}, as the column is"


def _cells(whole: bytes, width: int, delimiter: str, uneven: list[tuple[int, int]]) -> pa.Table:
    """Return complete records as a table of strings, null = empty.

    Records of another width are left out and added to `uneven` as (row, cells).
    """

    def refuse(row: pa.csv.InvalidRow) -> str:
        uneven.append((row.number - 1, row.actual_columns))
        return "skip"

    names = [str(place) for place in range(width)]
    try:
        return pa.csv.read_csv(
            pa.py_buffer(whole),
            pa.csv.ReadOptions(
                column_names=names, use_threads=False, block_size=max(len(whole) + 1, 1024)
            ),
            pa.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse
            ),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as exc:
        raise Unreadable(f"The body cannot be read as CSV: {str(exc)[:200]}.") from exc


def _trimmed(column: pa.ChunkedArray) -> pa.StringArray:
    """Return a column of cells without spaces around them; blank ones are absent."""
    array = pc.utf8_trim_whitespace(column.combine_chunks())
    return pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)


def _delimiter_of(line: str) -> str:
    """Return the delimiter that is most frequent in the header's first line."""
    bare = _QUOTED.sub("", line)
    return max(DELIMITERS, key=bare.count)
