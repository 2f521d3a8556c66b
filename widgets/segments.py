"""Which relation answers for which part of a window.

Pure. Invariant: the segments of a window follow one another without gap or overlap, and a rollup's
segment begins and ends on its own bucket edges, before the rollups' closed mark.
"""

from math import gcd
from typing import Literal

import msgspec

from twin.moments import MINUTE_US
from widgets.grid import FixedGrid
from widgets.window import Window

Relation = Literal["readings", "rollup_1m", "rollup_15m"]
QUARTER_US = 15 * MINUTE_US


class Segment(msgspec.Struct, frozen=True):
    """[from_us, end_us) is read from `relation`."""

    relation: Relation
    from_us: int
    end_us: int


def raw(from_us: int, end_us: int) -> list[Segment]:
    """Return the one segment that reads everything from the readings themselves."""
    return [Segment("readings", from_us, end_us)]


def divide(from_us: int, end_us: int, step_us: int, closed_us: int) -> list[Segment]:
    """Divide [from, end) between quarters, minutes and raw readings.

    `step_us`: every bucket edge of the answer is a multiple of it (0: there are no edges).
    `closed_us`: the rollups hold everything before it, but for the hours marked dirty.
    """
    minutes = _aligned(from_us, min(end_us, closed_us), MINUTE_US)
    if step_us % MINUTE_US or minutes is None:
        return raw(from_us, end_us)
    quarters = None if step_us % QUARTER_US else _aligned(*minutes, QUARTER_US)
    if quarters is None:
        middle: list[Segment] = [Segment("rollup_1m", *minutes)]
    else:
        middle = [
            Segment("rollup_1m", minutes[0], quarters[0]),
            Segment("rollup_15m", *quarters),
            Segment("rollup_1m", quarters[1], minutes[1]),
        ]
    ends = [Segment("readings", from_us, minutes[0]), Segment("readings", minutes[1], end_us)]
    return [part for part in (ends[0], *middle, ends[1]) if part.from_us < part.end_us]


def edge_step(window: Window) -> int:
    """Return the largest step, in µs, of which all bucket edges of a window are multiples."""
    if isinstance(window.grid, FixedGrid):
        return gcd(window.grid.width_us, window.grid.origin_us)
    return gcd(*window.starts, window.grid.after(window.starts[-1]))


def _aligned(from_us: int, end_us: int, width_us: int) -> tuple[int, int] | None:
    """Return the whole buckets within [from, end), or None when there is none."""
    begin_us = -(-from_us // width_us) * width_us
    stop_us = end_us // width_us * width_us
    return (begin_us, stop_us) if begin_us < stop_us else None
