"""The SQL that reads a window of raw readings, and its answer as numpy columns. Pure.

A window comes as one row of arrays: PostgreSQL sends an array of doubles as a length and 8 bytes
each, which numpy reads without a loop. Absent values travel as NaN, which no reading holds.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from psycopg import sql

from twin.batch import Floats, Int32s, Int64s
from twin.clock import to_datetime
from widgets.readings.cursor import Place
from widgets.readings.selection import Selection

EPOCH_2000_US = 946_684_800_000_000
"""PostgreSQL counts from 2000-01-01."""
_ARRAY_HEAD_BYTES = 20
"""Dimensions, flags, type, length and lower bound of an array of one dimension."""


class Columns(msgspec.Struct, frozen=True):
    """A window's readings in order of (ts_us, stream): values float64[n] per key, NaN = absent."""

    ts_us: Int64s
    stream: Int32s
    values: tuple[Floats, ...]

    def __len__(self) -> int:
        """Return how many readings there are."""
        return len(self.ts_us)

    @property
    def end(self) -> Place:
        """The place behind the last reading."""
        return Place(int(self.ts_us[-1]), int(self.stream[-1]))

    def head(self, most: int) -> "Columns":
        """Return the first `most` readings."""
        values = tuple(column[:most] for column in self.values)
        return Columns(self.ts_us[:most], self.stream[:most], values)


class Query(msgspec.Struct, frozen=True):
    """A statement and its parameters."""

    statement: sql.Composed
    params: dict[str, Any]


def window(selection: Selection, begin: Place, end_us: int, most: int) -> Query:
    """Return the query of at most `most` readings behind `begin` and before `end_us`."""
    pages = selection.pages()
    streams = selection.streams(pages)
    cells = [
        sql.Identifier(f"p{pages.index(key.page)}", f"v{key.column}") for key in selection.keys
    ]
    named = [
        sql.SQL("{} AS {}").format(cell, sql.Identifier(f"c{i}")) for i, cell in enumerate(cells)
    ]
    arrays = [
        sql.SQL("array_agg(coalesce({}, 'NaN'))").format(sql.Identifier(f"c{i}"))
        for i in range(len(cells))
    ]
    holds = [sql.SQL("{} IS NOT NULL").format(cell) for cell in cells]
    condition = (
        sql.SQL(" AND ({})").format(sql.SQL(" OR ").join(holds)) if selection.is_narrowed else None
    )
    statement = sql.SQL(
        "SELECT array_agg(ts), array_agg(stream_id){arrays} FROM ("
        "SELECT p0.ts, p0.stream_id{cells} FROM readings AS p0{joins}"
        " WHERE p0.stream_id = {streams} AND p0.ts >= %(begin)s AND p0.ts < %(end)s"
        " AND (p0.ts, p0.stream_id) > (%(begin)s, %(stream)s){condition}"
        " ORDER BY p0.ts, p0.stream_id LIMIT %(most)s) AS rows"
    ).format(
        arrays=sql.SQL("").join(sql.SQL(", ") + array for array in arrays),
        cells=sql.SQL("").join(sql.SQL(", ") + cell for cell in named),
        joins=_joins(len(pages)),
        # One stream is read in the order of the index; several have to be sorted.
        streams=sql.SQL("ANY(%(s0)s::int[])" if len(streams) != 1 else "(%(s0)s::int[])[1]"),
        condition=condition or sql.SQL(""),
    )
    params: dict[str, Any] = {f"s{i}": [s[i] for s in streams] for i in range(len(pages))}
    params |= {"begin": to_datetime(begin.ts_us), "end": to_datetime(end_us)}
    return Query(statement, params | {"stream": begin.stream, "most": most})


def _joins(pages: int) -> sql.Composed:
    """Bring the other pages' rows to each reading: streams by device, the same time."""
    if pages == 1:
        return sql.Composed([])
    numbers = range(pages)
    lists = sql.SQL(", ").join(sql.SQL("%(s{})s::int[]").format(sql.SQL(str(i))) for i in numbers)
    names = sql.SQL(", ").join(sql.Identifier(f"s{i}") for i in numbers)
    joins = sql.SQL("").join(
        sql.SQL(
            " LEFT JOIN readings AS {page} ON {page}.stream_id = device.{stream}"
            " AND {page}.ts = p0.ts AND {page}.ts >= %(begin)s AND {page}.ts < %(end)s"
        ).format(page=sql.Identifier(f"p{i}"), stream=sql.Identifier(f"s{i}"))
        for i in numbers[1:]
    )
    return (
        sql.SQL(" JOIN unnest({lists}) AS device ({names}) ON device.s0 = p0.stream_id").format(
            lists=lists, names=names
        )
        + joins
    )


def columns(cells: Sequence[bytes | None], keys: int) -> Columns:
    """Return the columns of a window's one row of binary arrays."""
    if cells[0] is None:
        empty = np.empty(0, dtype=np.float64)
        return Columns(np.empty(0, np.int64), np.empty(0, np.int32), (empty,) * keys)
    ts_us = _array(cells[0], ">i8").astype(np.int64) + EPOCH_2000_US
    stream = _array(cells[1], ">i4").astype(np.int32)
    values = tuple(_array(cell, ">f8").astype(np.float64) for cell in cells[2:])
    return Columns(ts_us, stream, values)


def _array(cell: bytes | None, dtype: str) -> Any:
    assert cell is not None
    items = np.dtype([("length", ">i4"), ("value", dtype)])
    return np.frombuffer(cell, items, offset=_ARRAY_HEAD_BYTES)["value"]
