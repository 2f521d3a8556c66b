"""Which relation answers for which part of a window.

Pure. Invariant: the segments of a window follow one another without gap or overlap, and a rollup's
segment begins and ends on its own bucket edges, before the rollups' closed mark.
"""

from math import gcd
from typing import Literal

import msgspec

from twin.clock import DAY_US
from twin.moments import HOUR_US, MINUTE_US
from twin.rollups import fives_from_us
from widgets.grid import FixedGrid
from widgets.window import Window

Relation = Literal["readings", "rollup_1m", "rollup_5m", "rollup_15m", "rollup_1h"]
RAW: Relation = "readings"
FIVE_US = 5 * MINUTE_US
QUARTER_US = 15 * MINUTE_US
_MINUTES: tuple[Relation, int, int] = ("rollup_1m", MINUTE_US, QUARTER_US)
_FIVES: tuple[Relation, int, int] = ("rollup_5m", FIVE_US, QUARTER_US)
_QUARTERS: tuple[Relation, int, int] = ("rollup_15m", QUARTER_US, QUARTER_US)
_HOURS: tuple[Relation, int, int] = ("rollup_1h", HOUR_US, DAY_US)
"""Rollups: the width of a bucket, and what is filled in at once."""
WIDTHS_US = {rollup: width_us for rollup, width_us, _ in (_MINUTES, _FIVES, _QUARTERS, _HOURS)}


class Segment(msgspec.Struct, frozen=True):
    """[from_us, end_us) is read from `relation`."""

    relation: Relation
    from_us: int
    end_us: int


def raw(from_us: int, end_us: int) -> list[Segment]:
    """Return the one segment that reads everything from the readings themselves."""
    return [Segment(RAW, from_us, end_us)]


def divide(from_us: int, end_us: int, step_us: int, closed_us: int) -> list[Segment]:
    """Divide [from, end) between rollups and raw readings, from the inside out.

    Hours, quarters and minutes; of what has no edges on quarters, but on fives: fives and minutes.

    `step_us`: every bucket edge of the answer is a multiple of it (0: there are no edges).
    `closed_us`: the rollups hold everything before it, but for the hours marked dirty.
    """
    begin_us, stop_us, relation = from_us, end_us, RAW
    before: list[Segment] = []
    after: list[Segment] = []
    has_fives = step_us % QUARTER_US and not step_us % FIVE_US
    rollups = (_MINUTES, _FIVES) if has_fives else (_MINUTES, _QUARTERS, _HOURS)
    for coarser, width_us, fill_us in rollups:
        filled_us = closed_us // fill_us * fill_us
        held_us = max(begin_us, fives_from_us(closed_us)) if coarser == "rollup_5m" else begin_us
        inner = _aligned(held_us, min(stop_us, filled_us), width_us)
        if step_us % width_us or inner is None:
            break
        before.append(Segment(relation, begin_us, inner[0]))
        after.insert(0, Segment(relation, inner[1], stop_us))
        begin_us, stop_us, relation = *inner, coarser
    parts = (*before, Segment(relation, begin_us, stop_us), *after)
    return [part for part in parts if part.from_us < part.end_us]


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
