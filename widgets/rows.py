"""Rows of answers, and those of closed buckets, kept for the next time the same is asked.

A line that is asked again after new readings differs in its last buckets alone. What lies before the
rollups' mark stays as it was read as long as none of its hours is dirty and no hour was cleaned since:
the statement that reads the rest says so in the same snapshot (`widgets/plan.py`), whoever wrote, on
whatever host. Invariant: rows are used only where that statement says they still hold.

Bounded in rows: the least recently used go first.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from itertools import compress
from typing import Any

import msgspec

from widgets.grid import FixedGrid
from widgets.plan import reads_rollups
from widgets.question import Question

MAX_ROWS = 100_000
"""Per worker: some 350 lines of 300 points, about 20 MiB."""


class Rows(msgspec.Struct, frozen=True, gc=False):
    """Groups, column by column: bucket begin or 0, stream id or value or 0, count, aggregate, envelope.

    As columns: no object is made of a row. All are equally long.
    """

    bucket_us: list[int] = []
    group: list[float] = []
    count: list[int] = []
    value: list[float | None] = []
    low: list[float | None] = []
    high: list[float | None] = []

    def __len__(self) -> int:
        return len(self.bucket_us)

    @property
    def columns(self) -> tuple[list[Any], ...]:
        """The columns, in order."""
        return (self.bucket_us, self.group, self.count, self.value, self.low, self.high)

    def part(self, first: int, end: int) -> "Rows":
        """Return the rows of [first, end)."""
        return Rows(*(column[first:end] for column in self.columns))

    def followed_by(self, others: "Rows") -> "Rows":
        """Return these rows and then the others."""
        pairs = zip(self.columns, others.columns, strict=True)
        return Rows(*(column + more for column, more in pairs))

    def place(self, at_us: int) -> int:
        """Return the number of the first row whose bucket does not begin before a moment."""
        return bisect_left(self.bucket_us, at_us)

    def valued(self) -> "Rows":
        """Return the rows that have a value."""
        if None not in self.value:
            return self
        kept = [value is not None for value in self.value]
        return Rows(*(list(compress(column, kept)) for column in self.columns))


def rows_of(records: Sequence[Sequence[Any]]) -> Rows:
    """Return the rows of records as `widgets/plan.py` orders their fields."""
    return Rows(*map(list, zip(*records, strict=True))) if records else Rows()


class Settled(msgspec.Struct, frozen=True):
    """The rows of all buckets of [from_us, until_us), in order, as of a number of cleanings."""

    from_us: int
    until_us: int
    cleanings: int
    rows: Rows


class SettledRows:
    """Settled rows of one worker, by what was asked but for its time."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        """Start empty."""
        self._max_rows = max_rows
        self._count = 0
        self._kept: OrderedDict[Hashable, Settled] = OrderedDict()

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._count = 0

    def find(self, question: Question) -> Settled | None:
        """Return what is kept of the begin of a question; what follows it is never empty."""
        key = _key(question)
        kept = None if key is None else self._kept.get(key)
        if key is None or kept is None or question.window is None:
            return None
        until_us = min(kept.until_us, question.window.grid.floor(question.end_us - 1))
        if not kept.from_us <= question.from_us < until_us:
            return None
        self._kept.move_to_end(key)
        first = 0 if kept.from_us == question.from_us else kept.rows.place(question.from_us)
        rows = kept.rows.part(first, kept.rows.place(until_us))
        return Settled(question.from_us, until_us, kept.cleanings, rows)

    def keep(self, question: Question, rows: Rows, cleanings: int | None, closed_us: int) -> None:
        """Keep a question's rows up to the rollups' mark.

        `cleanings`: what the statement said; None: hours were dirty, so nothing is kept.
        """
        key = _key(question)
        if key is None or question.window is None:
            return
        self.forget(question)
        until_us = question.window.grid.floor(min(closed_us, question.end_us))
        if cleanings is None or until_us <= question.from_us:
            return
        settled = rows.part(0, rows.place(until_us))
        if len(settled) > self._max_rows // 4:
            return
        self._kept[key] = Settled(question.from_us, until_us, cleanings, settled)
        self._count += len(settled)
        while self._count > self._max_rows:
            self._count -= len(self._kept.popitem(last=False)[1].rows)

    def forget(self, question: Question) -> None:
        """Keep nothing of a question."""
        old = self._kept.pop(_key(question), None)
        if old is not None:
            self._count -= len(old.rows)


def _key(question: Question) -> Hashable | None:
    """Return what questions have in common whose buckets are the same; None: nothing to keep."""
    window = question.window
    if window is None or not reads_rollups(question):
        return None
    grid = window.grid
    if isinstance(grid, FixedGrid):
        shape: Hashable = (grid.width_us, grid.origin_us % grid.width_us)
    else:
        shape = (grid.span, grid.zone.key)
    cut_us = None if grid.floor(question.from_us) == question.from_us else question.from_us
    asked = (question.streams, question.column, question.agg, question.grouping, question.envelope)
    return (*asked, shape, cut_us)
