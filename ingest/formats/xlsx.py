"""A sheet of an xlsx workbook → columns. Its index is at the end, so the body is whole first."""

import io
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import python_calamine as calamine

from ingest.columns import Column, Columns, Texts
from ingest.formats import cells
from ingest.formats.cell_times import Times, local_to_utc, put_numbers, put_texts
from ingest.formats.layout import find_layout
from ingest.formats.part import PART_ROWS, Part, Request, Taken
from ingest.formats.xlsx_guard import check
from twin.batch import Floats
from twin.clock import SECOND_US
from twin.errors import Invalid, ItemError, TwinfeedError, Unreadable
from twin.schema import Kind

_EPOCH = datetime(1970, 1, 1)
_KIND_WORDS = {"number": "a number", "boolean": "true or false", "text": "text"}
_LISTED = 20


class XlsxParser:
    """Reads one workbook."""

    def __init__(self, request: Request) -> None:
        """Begin a body."""
        self._request = request
        self._data = bytearray()
        self._sheet: _Sheet | None = None

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield nothing yet."""
        self._data += data
        yield from ()

    def flush(self) -> Iterator[Part]:
        """Yield nothing: the end of the file says what it holds."""
        yield from ()

    def finish(self) -> Iterator[Part]:
        """Yield the rows of the sheet. Raises Unreadable, TooLarge, Invalid."""
        if not self._data:
            raise Unreadable("The body is empty: send an xlsx workbook.")
        data = bytes(self._data)
        self._data.clear()
        is_1904 = check(data, self._request.max_expanded_bytes)
        rows = _rows(data, self._request.options.sheet)
        header = next((row for row in rows if any(cell != "" for cell in row)), None)
        if header is None:
            raise Unreadable("The sheet is empty: send a header and a reading a row.")
        self._sheet = _Sheet([_shown(cell).strip() for cell in header], self._request, is_1904)
        first, found = 0, False
        while chunk := list(islice(rows, PART_ROWS)):
            part = self._sheet.columns(chunk, first)
            first += len(chunk)
            found = found or len(part) > 0
            yield part
        if not found:
            raise Unreadable("The sheet has a header and no readings.")

    def taken(self) -> list[Taken]:
        """Return what each column was taken for."""
        return self._sheet.taken() if self._sheet else []


def _rows(data: bytes, name: str | None) -> Iterator[list[Any]]:
    """Yield the rows of a sheet, the first one when none is named; '' = empty."""
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = workbook.sheet_names
        if name is not None and name not in names:
            listed = ", ".join(names[:_LISTED])
            message = f"There is no sheet '{name[:100]}'; there are: {listed}."
            raise Invalid(message, errors=[ItemError(message, key="sheet")])
        if not names:
            raise Unreadable("The workbook has no sheet.")
        sheet = workbook.get_sheet_by_name(name if name is not None else names[0])
        yield from sheet.iter_rows()
    except TwinfeedError:
        raise
    except GeneratorExit:
        raise
    except BaseException as exc:
        # A panic of the reader is no Exception; interrupts go on.
        if isinstance(exc, (KeyboardInterrupt, SystemExit)):
            raise
        reason = " ".join(str(exc).split())[:200].rstrip(".")
        raise Unreadable(f"The workbook cannot be read: {reason}.") from exc


class _Sheet:
    """Columns of typed cells: what they are for, and of what kind. A kind once found stays."""

    def __init__(self, header: list[str], request: Request, is_1904: bool) -> None:
        while header and not header[-1]:
            header.pop()
        self._header = header
        self._layout = find_layout(header, request.options)
        self._request = request
        self._is_1904 = is_1904
        self._decimal = request.options.decimal
        self._kinds: dict[str, Kind] = {}
        self._time_format = ""

    def taken(self) -> list[Taken]:
        found = []
        for place, name in enumerate(self._header):
            if place == self._layout.time:
                found.append(Taken(name, "time", format=self._time_format))
            elif place == self._layout.device:
                found.append(Taken(name, "device"))
            elif not name:
                found.append(Taken(name, "left out"))
            else:
                found.append(Taken(name, "key", self._kinds.get(name)))
        return found

    def columns(self, rows: list[list[Any]], first: int) -> Columns:
        """Return rows as columns; rows without any value are passed over."""
        width = len(self._header)
        kept = [
            (first + i, row)
            for i, row in enumerate(rows)
            if any(cell is not None and cell != "" for cell in row[:width])
        ]
        index = np.array([i for i, _ in kept], dtype=np.int64)
        held = [[_cell(row[place]) for _, row in kept] for place in range(width)]
        layout = self._layout
        name = "" if layout.time is None else self._header[layout.time]
        times = Times(self._request.context, index, name)
        if layout.time is not None and kept:
            self._put_times(times, held[layout.time])
        devices = [None] * len(kept) if layout.device is None else held[layout.device]
        faults = list(times.faults)
        columns = []
        for place, key in layout.keys:
            column, bad = self._column(key, held[place])
            if column is not None:
                columns.append(column)
            faults += [ItemError(why, int(index[row]), key[:200]) for row, why in bad]
        return Columns(index, times.ts_us, _texts(map(_shown_or_none, devices)), columns, faults)

    def _put_times(self, times: Times, found: list[Any]) -> None:
        context = self._request.context
        n = len(found)
        numbers, naive_us = np.zeros(n), np.zeros(n, dtype=np.int64)
        is_number, is_date = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
        texts: list[str | None] = [None] * n
        for row, cell in enumerate(found):
            if isinstance(cell, date):  # datetime too
                is_date[row] = True
                naive_us[row] = _naive_us(cell)
            elif isinstance(cell, (int, float)) and not isinstance(cell, bool):
                is_number[row] = True
                numbers[row] = cell
            elif isinstance(cell, str):
                texts[row] = cell
            elif cell is not None:
                times.fault(row, f"'{_shown(cell)[:40]}' is not a time")
        if is_date.any():
            self._time_format = self._time_format or "Excel date"
            times.put(is_date, local_to_utc(naive_us[is_date], context.zone))
        if is_number.any():
            self._time_format = self._time_format or "Excel serial date or Unix time"
            put_numbers(times, numbers, is_number, context, is_1904=self._is_1904)
        if any(text is not None for text in texts):
            shown = put_texts(times, pa.array(texts, pa.string()), context)
            self._time_format = self._time_format or shown

    def _column(self, name: str, found: list[Any]) -> tuple[Column | None, list[tuple[int, str]]]:
        kinds = [None if cell is None else _kind_of(cell) for cell in found]
        kind = self._kinds.get(name) or self._request.known_kind(name) or _most(found, kinds)
        if kind is None:
            return None, []
        self._kinds[name] = kind
        if kind == "number":
            return self._numbers(name, found, kinds)
        bad = [
            (row, f"'{_shown(found[row])[:40]}' is not {_KIND_WORDS[kind]}, as the column is")
            for row, other in enumerate(kinds)
            if other not in (None, kind)
        ]
        fits = [cell if other == kind else None for cell, other in zip(found, kinds, strict=True)]
        if kind == "text":
            return Column(name, kind, _texts(map(_shown_or_none, fits))), bad
        return Column(name, kind, np.array(fits, dtype=np.float64)), bad

    def _numbers(
        self, name: str, found: list[Any], kinds: list[Kind | None]
    ) -> tuple[Column, list[tuple[int, str]]]:
        """Take numbers, and texts that Excel holds for numbers."""
        values: Floats = np.array(
            [c if k == "number" else None for c, k in zip(found, kinds, strict=True)],
            dtype=np.float64,
        )
        bad = []
        for row in [row for row, k in enumerate(kinds) if k not in (None, "number")]:
            one = pa.array([found[row] if isinstance(found[row], str) else "-"], pa.string())
            decimal = self._decimal or cells.decimal_mark([one], "")
            value, is_bad = cells.numbers(one, decimal)
            if is_bad[0]:
                bad.append((row, f"'{_shown(found[row])[:40]}' is not a number, as the column is"))
            else:
                values[row] = value[0]
        return Column(name, "number", values), bad


def _cell(cell: Any) -> Any:
    """Return a cell's value, texts trimmed; None = empty."""
    if isinstance(cell, str):
        return cell.strip() or None
    return cell


def _kind_of(cell: Any) -> Kind:
    if isinstance(cell, bool):
        return "boolean"
    return "number" if isinstance(cell, (int, float)) else "text"


def _most(found: list[Any], kinds: list[Kind | None]) -> Kind | None:
    """Return the most frequent kind; on a tie the first to occur.

    Among numbers, texts that read as one count as numbers: Excel holds many a number as text.
    """
    held = [kind for kind in kinds if kind is not None]
    counts = {kind: held.count(kind) for kind in dict.fromkeys(held)}
    if "number" in counts and "text" in counts:
        texts = pa.array(
            [_shown(c) for c, k in zip(found, kinds, strict=True) if k == "text"], pa.string()
        )
        like = cells.count_numbers(texts)
        counts["number"] += like
        counts["text"] -= like
    return max(counts, key=lambda kind: counts[kind], default=None)


def _texts(found: Any) -> Texts:
    return cells.text_column(pa.array(list(found), pa.string()))


def _shown_or_none(cell: Any) -> str | None:
    return None if cell is None else _shown(cell)


def _shown(cell: Any) -> str:
    """Return a cell as text: 7 rather than 7.0."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return str(cell)


def _naive_us(moment: date) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    since = moment.replace(tzinfo=None) - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_US + since.microseconds
