"""The rows that one request adds: what parsing and judging end in, and what a writer takes."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Protocol

import msgspec
import numpy as np

from twin.batch import PAGE_SLOTS, Floats, Int32s, Int64s

ROW_BYTES = 4 + 8 + 8 * PAGE_SLOTS
"""Memory of a row while it waits."""


class Block(msgspec.Struct, eq=False, gc=False):
    """Rows of one datasource. The first `readings` rows are page 0, one per reading, in order.

    stream_id int32[n], ts_us int64[n], values float64[n, 16] with NaN = absent; `slots` held a value.
    """

    datasource_no: int
    readings: int
    stream_id: Int32s
    ts_us: Int64s
    values: Floats
    slots: frozenset[int]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.stream_id)


class Row(msgspec.Struct, eq=False, gc=False):
    """One reading on page 0, as plain Python: arrays are made of many at once, by `blocks_of`.

    `values` of `columns`, NaN = absent, at least one is not. The list of columns is shared by all
    rows of a codec.
    """

    datasource_no: int
    stream_id: int
    ts_us: int
    values: tuple[float, ...]
    columns: list[int]

    def __len__(self) -> int:
        """Return 1, the number of rows."""
        return 1


class Waiter(Protocol):
    """The request that waits for a commit: the part of a future that is used."""

    def cancelled(self) -> bool:
        """Return whether nobody waits any more and nothing need be stored."""

    def done(self) -> bool:
        """Return whether it has its result."""

    def set_result(self, result: None) -> None:
        """The rows are committed."""

    def set_exception(self, exception: Exception) -> None:
        """They are not."""


class Pending(msgspec.Struct, eq=False):
    """Rows that wait for their commit, and the request that waits for it."""

    block: Block | Row
    done: Waiter


class PageRows:
    """Collects a request's rows page by page."""

    def __init__(self, datasource_no: int) -> None:
        """Collect for one datasource."""
        self._no = datasource_no
        self._stream_ids: list[Int32s] = []
        self._ts_us: list[Int64s] = []
        self._values: list[Floats] = []

    def add(
        self, stream_ids: Sequence[int] | Int32s, ts_us: Sequence[int] | Int64s, values: Floats
    ) -> None:
        """Add a page's rows; page 0 first."""
        self._stream_ids.append(np.asarray(stream_ids, dtype=np.int32))
        self._ts_us.append(np.asarray(ts_us, dtype=np.int64))
        self._values.append(values)

    def block(self, slots: frozenset[int]) -> Block:
        """Return what was collected."""
        readings = len(self._stream_ids[0])
        if len(self._stream_ids) == 1:
            parts = self._stream_ids[0], self._ts_us[0], self._values[0]
        else:
            parts = (
                np.concatenate(self._stream_ids),
                np.concatenate(self._ts_us),
                np.concatenate(self._values),
            )
        return Block(self._no, readings, *parts, slots)


def empty_page(rows: int) -> Floats:
    """Return float64[rows, 16] of absent values."""
    return np.full((rows, PAGE_SLOTS), np.nan)


def blocks_of(entries: Sequence[Block | Row]) -> Iterator[Block]:
    """Yield blocks with the same rows in the same order; rows alike that follow one another are one."""
    for columns, alike in groupby(entries, lambda e: id(e.columns) if type(e) is Row else None):
        if columns is None:
            yield from alike  # type: ignore[misc]
        else:
            yield _block_of(list(alike))  # type: ignore[arg-type]


def _block_of(rows: list[Row]) -> Block:
    values = empty_page(len(rows))
    held = np.array([r.values for r in rows])
    columns = rows[0].columns
    values[:, columns] = held
    used = (~np.isnan(held)).any(axis=0)
    slots = (
        columns if used.all() else [c for c, is_used in zip(columns, used, strict=True) if is_used]
    )
    return Block(
        rows[0].datasource_no,
        len(rows),
        np.array([r.stream_id for r in rows], dtype=np.int32),
        np.array([r.ts_us for r in rows], dtype=np.int64),
        values,
        frozenset(slots),
    )
