"""Shape 5 of JSON, columns, as arrays. Pure.

The fast way of what `ingest/json_shapes.py` reads row by row: columns of equal length, each of one kind,
times of one form. Anything else is None, and the general path says what is wrong, or takes it.
"""

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from ingest.columns import Column, Columns, Texts
from ingest.fast import column_times
from ingest.formats.cells import text_column
from ingest.readings import Context
from twin.batch import Int64s

_SNIFFED = b'"values"'


class _Document(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    values: dict[str, list[Any]]
    ts: list[Any] | None = None
    timestamp: list[Any] | None = None
    time: list[Any] | None = None
    device: str | list[str | None] | None = None


_decoder = msgspec.json.Decoder(_Document)


def parse(body: bytes, context: Context, max_readings: int) -> Columns | None:
    """Return the readings of a body in columns, or None."""
    if body[:1] != b"{" or _SNIFFED not in body:
        return None
    try:
        document = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    times = [t for t in (document.ts, document.timestamp, document.time) if t is not None]
    lists = [*document.values.values(), *times]
    if isinstance(document.device, list):
        lists.append(document.device)
    rows = len(lists[0]) if document.values else 0
    if not 0 < rows <= max_readings or len(times) > 1 or any(len(x) != rows for x in lists):
        return None
    index = np.arange(rows, dtype=np.int64)
    ts_us: Int64s | None = context.received_us + index
    if times:
        ts_us = column_times(times[0], context)
    columns = [_column(key, found) for key, found in document.values.items()]
    if ts_us is None or None in columns:
        return None
    held = [column for column in columns if column is not None]
    return Columns(index, ts_us, _devices(document.device, rows), held, [])


def _column(key: str, found: list[Any]) -> Column | None:
    """Return a column of one kind; None also for one without values, which has none."""
    kinds = set(map(type, found)) - {type(None)}
    if kinds == {str}:
        return Column(key, "text", text_column(pa.array(found, pa.string())))
    if kinds and (kinds <= {int, float} or kinds == {bool}):
        try:
            values = np.array(found, dtype=np.float64)
        except OverflowError:  # an integer beyond the doubles
            return None
        return Column(key, "boolean" if kinds == {bool} else "number", values)
    return None


def _devices(found: str | list[str | None] | None, rows: int) -> Texts:
    if isinstance(found, list):
        return text_column(pa.array(found, pa.string()))
    if found is None:
        return Texts(np.full(rows, -1, dtype=np.int32), [])
    return Texts(np.zeros(rows, dtype=np.int32), [found])
