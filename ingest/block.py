"""The rows that one request adds: what parsing and judging end in, and what a writer takes."""

import asyncio
from collections.abc import Sequence

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


class Pending(msgspec.Struct, eq=False):
    """A block that waits for its commit, and the request that waits for it."""

    block: Block
    done: asyncio.Future[None]


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
