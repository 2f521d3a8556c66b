"""Whether a batch leaves every state as it is: two comparisons a value, whatever the number of rules.

For each stream and column, the values that change nothing while the states are as they are. What is no
single range of values (a band that must not be entered, a rate, a compound rule, a wait) is no value at
all: then the batch is judged in full. So an answer of yes is exact, and no is only a maybe. Pure.
"""

import msgspec
import numpy as np

from alerts.evaluate import Active
from alerts.judge import Bools, Ints, Level
from alerts.plan import Broad, Intervals, Lane, Plan
from alerts.states import States
from twin.batch import PAGE_SLOTS, Floats, Int32s, Int64s, Rows

MAX_CELLS = 4_000_000
"""Of a datasource, 64 MiB; one with more streams is judged in full each time."""

Range = tuple[Floats, Floats]
"""(lowest, highest) value that changes nothing, both included."""


class Calm(msgspec.Struct, frozen=True):
    """low, high: [streams, columns]; `column`: of a row, ascending; `stream_id`: sorted."""

    stream_id: Int32s
    column: Ints
    low: Floats
    high: Floats

    def holds(self, rows: Rows) -> bool:
        """Return whether no reading of a batch changes a state."""
        at = np.minimum(np.searchsorted(self.stream_id, rows.stream_id), len(self.stream_id) - 1)
        value = rows.values[:, self.column]
        stirs = (value < self.low[at]) | (value > self.high[at])
        if not stirs.any():
            return True
        return not (stirs.any(axis=1) & (self.stream_id[at] == rows.stream_id)).any()


def make_calm(plan: Plan, active: Active, states: States, rule_no: Int64s) -> Calm | None:
    """Return what changes nothing, None where that would take too much memory.

    rule_no: of the rules, by place; `states` are by it.
    """
    lanes = [plan.plain, plan.quiet]
    streams = [lane.fixed_stream for lane in lanes]
    streams += [broad.stream_id for lane in lanes for broad in lane.broad]
    if plan.compound is not None:
        streams.append(plan.compound.stream_id)
    stream_id = np.unique(np.concatenate(streams))
    column = np.arange(PAGE_SLOTS)
    if not len(stream_id):
        stream_id = np.zeros(1, np.int32)
    if len(stream_id) * len(column) > MAX_CELLS:
        return None
    shape = len(stream_id), len(column)
    calm = Calm(stream_id, column, np.full(shape, -np.inf), np.full(shape, np.inf))
    for rule, stream in _pairs(plan.plain):
        _narrow(calm, plan, rule, stream, _ranges(plan, active, rule, stream))
    for rule, stream in _pairs(plan.quiet):
        heard = plan.page[rule] > 0, states.has(rule_no[rule] << 32 | stream)
        _narrow(calm, plan, rule, stream, _heard(active, rule, stream, *heard))
    if plan.compound is not None:
        for page, shown in plan.compound.keys:
            at = np.searchsorted(stream_id, plan.compound.stream_id[plan.compound.page == page])
            calm.low[at, shown] = np.inf
    used = np.flatnonzero(((calm.low > -np.inf) | (calm.high < np.inf)).any(axis=0))
    return Calm(stream_id, used, calm.low[:, used].copy(), calm.high[:, used].copy())


def _pairs(lane: Lane) -> list[tuple[Ints, Int32s]]:
    """Return rules and streams, pair by pair; those of a broad rule are all different."""
    found = [(lane.fixed_rule, lane.fixed_stream)]
    for broad in lane.broad:
        found += [_of(broad, rule) for rule in broad.rules.tolist()]
    return [pair for pair in found if len(pair[0])]


def _of(broad: Broad, rule: int) -> tuple[Ints, Int32s]:
    return np.full(len(broad.stream_id), rule, np.intp), broad.stream_id


def _narrow(calm: Calm, plan: Plan, rule: Ints, stream: Int32s, to: Range) -> None:
    at = np.searchsorted(calm.stream_id, stream), plan.source[rule]
    np.maximum.at(calm.low, at, to[0])
    np.minimum.at(calm.high, at, to[1])


def _ranges(plan: Plan, active: Active, rule: Ints, stream: Int32s) -> Range:
    """Return what leaves each pair of rule and stream in its state."""
    low, high = _without(plan.ranks[0].breach, rule)
    is_rate = plan.column[rule] >= PAGE_SLOTS
    key = rule.astype(np.int64) << 32 | stream
    if len(active.key):
        at = np.minimum(np.searchsorted(active.key, key), len(active.key) - 1)
        found = active.key[at] == key
        level, rank = active.level[at], active.rank[at]
        disabled = found & (level == Level.DISABLED)
        low[disabled], high[disabled] = -np.inf, np.inf
        for one in np.unique(rank[found]).tolist():
            mine = np.flatnonzero(found & (level == Level.FIRING) & (rank == one))
            low[mine], high[mine] = _firing(plan, rule[mine], one)
        waits = found & (level == Level.PENDING)
        waits |= found & (level == Level.FIRING) & (plan.schedule[rule] >= 0)
        low[waits] = np.inf
    low[is_rate] = np.inf
    return low, high


def _firing(plan: Plan, rule: Ints, rank: int) -> Range:
    """Return what neither ends an alert of a rank nor gives it another."""
    parts = [_within(plan.ranks[0].persists, rule), _within(plan.ranks[rank].persists, rule)]
    parts += [_without(limits.breach, rule) for limits in plan.ranks[rank + 1 :]]
    lows, highs = [low for low, _ in parts], [high for _, high in parts]
    return np.maximum.reduce(lows), np.minimum.reduce(highs)


def _heard(active: Active, rule: Ints, stream: Int32s, unknown: Bools, watched: Bools) -> Range:
    """A reading changes nothing for a `no_data` rule that watches its device and is not firing."""
    low, high = np.full(len(rule), -np.inf), np.full(len(rule), np.inf)
    firing = np.isin(rule.astype(np.int64) << 32 | stream, active.key)
    low[unknown | ~watched | firing] = np.inf
    return low, high


def _within(intervals: Intervals, rule: Ints) -> Range:
    """Return the range in which conditions hold."""
    low, high = intervals.low[rule].copy(), intervals.high[rule].copy()
    around = _around(low, high)
    inverted = intervals.inverted[rule]
    return np.where(inverted, around[0], low), np.where(inverted, around[1], high)


def _without(intervals: Intervals, rule: Ints) -> Range:
    """Return the range in which conditions do not hold."""
    low, high = intervals.low[rule].copy(), intervals.high[rule].copy()
    around = _around(low, high)
    inverted = intervals.inverted[rule]
    return np.where(inverted, low, around[0]), np.where(inverted, high, around[1])


def _around(low: Floats, high: Floats) -> Range:
    """Return the range outside of low to high, no value where that is not one range."""
    never = low > high
    below, above = np.isneginf(low) & ~never, np.isposinf(high) & ~never
    first = np.where(below, np.nextafter(high, np.inf), np.where(above | never, -np.inf, np.inf))
    last = np.where(above, np.nextafter(low, -np.inf), np.where(below | never, np.inf, -np.inf))
    return first, last
