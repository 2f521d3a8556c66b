"""The COPY frame, decoded by the letter of PostgreSQL's documentation."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.frame import encode, used_columns
from twin.batch import Rows

_2000_US = 946_684_800_000_000
Cell = float | None


def decode(data: bytes) -> list[tuple[int, int, list[Cell]]]:
    """Return the rows of a COPY stream of (int4, timestamptz, float8 …)."""
    assert data[:11] == b"PGCOPY\n\xff\r\n\x00"
    assert data[11:19] == bytes(8)
    at, rows = 19, []
    while (fields := struct.unpack_from(">h", data, at)[0]) != -1:
        at += 2
        cells: list[bytes | None] = []
        for _ in range(fields):
            (length,) = struct.unpack_from(">i", data, at)
            at += 4
            cells.append(None if length == -1 else data[at : at + length])
            at += max(length, 0)
        stream, ts, *values = cells
        assert stream is not None
        assert ts is not None
        rows.append(
            (
                struct.unpack(">i", stream)[0],
                struct.unpack(">q", ts)[0] + _2000_US,
                [None if v is None else struct.unpack(">d", v)[0] for v in values],
            )
        )
    assert at + 2 == len(data)
    return rows


def rows_of(values: list[list[float]]) -> Rows:
    n = len(values)
    return Rows(
        np.arange(1, n + 1, dtype=np.int32),
        np.arange(n, dtype=np.int64) * 10**15,
        np.array(values, dtype=np.float64).reshape(n, 16),
    )


cell = st.one_of(st.just(math.nan), st.floats(allow_nan=False, allow_infinity=False))


@given(st.lists(st.lists(cell, min_size=16, max_size=16), min_size=1, max_size=8))
def test_every_row_comes_back(values: list[list[float]]) -> None:
    rows = rows_of(values)
    columns = used_columns(rows)
    expected = [
        (
            i + 1,
            i * 10**15,
            [None if math.isnan(held[c]) else held[c] for c in columns],
        )
        for i, held in enumerate(values)
    ]
    assert decode(encode(rows, columns)) == expected


@pytest.mark.parametrize("n", [0, 1, 3])
def test_rows_without_any_value(n: int) -> None:
    rows = rows_of([[math.nan] * 16] * n)
    assert used_columns(rows) == []
    assert decode(encode(rows, [])) == [(i + 1, i * 10**15, []) for i in range(n)]


def test_the_ends_of_the_types() -> None:
    rows = Rows(
        np.array([2**31 - 1], dtype=np.int32),
        np.array([0], dtype=np.int64),
        np.full((1, 16), -0.0),
    )
    ((stream, ts, values),) = decode(encode(rows, used_columns(rows)))
    assert (stream, ts) == (2**31 - 1, 0)
    assert all(math.copysign(1, value) == -1 for value in values if value is not None)
