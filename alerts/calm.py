"""Which readings of a batch may change a state: two comparisons a value, whatever the number of rules.

For each stream and column, rates among them, the values that change nothing while the states are as
they are. What is no single range of values (a band that must not be entered, a wait, a compound rule of
`any`) is no value at all: its streams are judged in full. So a stream that does not stir needs no
judging, and one that does only might change. Pure.
"""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from alerts.evaluate import Active
from alerts.judge import Bools, Ints, Level
from alerts.known import Known
from alerts.plan import Broad, Compound, Intervals, Lane, Plan
from alerts.rates import read_rates
from alerts.states import States
from twin.batch import PAGE_SLOTS, Floats, Int32s, Int64s, Rows

MAX_CELLS = 4_000_000
"""Of a datasource, 64 MiB; one with more streams is judged in full each time."""

Range = tuple[Floats, Floats]
"""(lowest, highest) value that changes nothing, both included."""


class Calm(msgspec.Struct, frozen=True):
    """low, high: [streams, columns]; `column`: of a row, ascending, from 16 on of its rates.

    stream_id: sorted; lowest, highest: by column, what changes nothing in any stream.
    """

    stream_id: Int32s
    column: Ints
    low: Floats
    high: Floats
    lowest: Floats
    highest: Floats

    def stirring(self, rows: Rows, rates: Floats | None) -> Int32s:
        """Return the streams, sorted, of which a reading may change a state.

        rates: [rows, plan.rates], where there are any.
        """
        value = self._values(rows, rates)
        none = np.zeros(0, np.int32)
        if not ((value < self.lowest) | (value > self.highest)).any():
            return none
        at = np.minimum(np.searchsorted(self.stream_id, rows.stream_id), len(self.stream_id) - 1)
        stirs = ((value < self.low[at]) | (value > self.high[at])).any(axis=1)
        return np.unique(rows.stream_id[stirs & (self.stream_id[at] == rows.stream_id)])

    def _values(self, rows: Rows, rates: Floats | None) -> Floats:
        slots = int(np.searchsorted(self.column, PAGE_SLOTS))
        value = rows.values[:, self.column[:slots]]
        if rates is None or slots == len(self.column):
            return value
        found: Floats = np.hstack([value, rates[:, self.column[slots:] - PAGE_SLOTS]])
        return found


class Part(msgspec.Struct, frozen=True):
    """What of a batch is to be judged: rows, what was known before them, rates where there are any."""

    rows: Rows
    known: Known
    rates: Floats | None


def whole(plan: Plan, rows: Rows, known: Known) -> Part:
    """Return all of a batch."""
    return Part(rows, known, read_rates(plan.rates, rows, known) if plan.rates else None)


def stirred(plan: Plan, calm: Calm | None, rows: Rows, known: Known) -> Part | None:
    """Return what of a batch may change a state, whole devices; None if nothing may."""
    part = whole(plan, rows, known)
    if calm is None:
        return part
    streams = calm.stirring(rows, part.rates)
    if not len(streams):
        return None
    if plan.compound is not None:
        of = plan.compound
        devices = of.device[np.isin(of.stream_id, streams)]
        streams = np.union1d(streams, of.stream_id[np.isin(of.device, devices)])
    mine = np.isin(rows.stream_id, streams)
    rates = None if part.rates is None else part.rates[mine]
    return Part(rows.take(mine), known.take(np.isin(known.stream_id, streams)), rates)


class Standing(msgspec.Struct, frozen=True):
    """Rules and how they stand. rule_no: of the rules, by place; `states` are by it."""

    plan: Plan
    active: Active
    states: States
    rule_no: Int64s


def make_calm(standing: Standing) -> Calm | None:
    """Return what changes nothing, None where that would take too much memory."""
    plan = standing.plan
    lanes = [plan.plain, plan.quiet]
    streams = [np.zeros(1, np.int32), *(lane.fixed_stream for lane in lanes)]
    streams += [broad.stream_id for lane in lanes for broad in lane.broad]
    columns = [plan.column[_rules(plan.plain)], plan.source[_rules(plan.quiet)]]
    if plan.compound is not None:
        streams.append(plan.compound.stream_id)
        columns.append(np.array([column for _, column in plan.compound.keys], np.intp))
    stream_id, column = np.unique(np.concatenate(streams)), np.unique(np.concatenate(columns))
    shape = len(stream_id), len(column)
    if shape[0] * shape[1] > MAX_CELLS:
        return None
    low, high = np.full(shape, -np.inf), np.full(shape, np.inf)
    return _filled(stream_id, column, low, high, standing, None)


def remade(calm: Calm, standing: Standing, streams: Int32s) -> Calm:
    """Return the same where only states of some streams (sorted) are others."""
    low, high = calm.low.copy(), calm.high.copy()
    at = np.flatnonzero(np.isin(calm.stream_id, streams))
    low[at], high[at] = -np.inf, np.inf
    return _filled(calm.stream_id, calm.column, low, high, standing, streams)


def _filled(
    stream_id: Int32s,
    column: Ints,
    low: Floats,
    high: Floats,
    standing: Standing,
    among: Int32s | None,
) -> Calm:
    """Narrow the ranges of some streams by what each rule allows in each."""
    plan, states, rule_no = standing.plan, standing.states, standing.rule_no

    def narrow(stream: Int32s, columns: Ints, to: Range) -> None:
        at = np.searchsorted(stream_id, stream), np.searchsorted(column, columns)
        np.maximum.at(low, at, to[0])
        np.minimum.at(high, at, to[1])

    for rule, stream in _pairs(plan.plain, among):
        narrow(stream, plan.column[rule], _ranges(plan, standing.active, rule, stream))
    for rule, stream in _pairs(plan.quiet, among):
        heard = plan.page[rule] > 0, states.has(rule_no[rule] << 32 | stream)
        narrow(stream, plan.source[rule], _heard(standing.active, rule, stream, *heard))
    if plan.compound is not None:
        for rule, device in _pairs(plan.compound.lane, among):
            for part in _parts(plan.compound, standing.active, rule, device):
                narrow(*part)
    return Calm(stream_id, column, low, high, low.max(axis=0), high.min(axis=0))


def _rules(lane: Lane) -> Ints:
    return np.concatenate([lane.fixed_rule, *(broad.rules for broad in lane.broad)])


def _pairs(lane: Lane, among: Int32s | None) -> list[tuple[Ints, Int32s]]:
    """Return rules and streams, pair by pair, of all streams or some."""
    found = [(lane.fixed_rule, lane.fixed_stream)]
    found += [_of(broad, rule) for broad in lane.broad for rule in broad.rules.tolist()]
    if among is not None:
        found = [(rule[mine], stream[mine]) for rule, stream, mine in _marked(found, among)]
    return [pair for pair in found if len(pair[0])]


def _marked(
    pairs: Sequence[tuple[Ints, Int32s]], among: Int32s
) -> list[tuple[Ints, Int32s, Bools]]:
    return [(rule, stream, np.isin(stream, among)) for rule, stream in pairs]


def _of(broad: Broad, rule: int) -> tuple[Ints, Int32s]:
    return np.full(len(broad.stream_id), rule, np.intp), broad.stream_id


def _parts(
    compound: Compound, active: Active, rule: Ints, device: Int32s
) -> Iterator[tuple[Int32s, Ints, Range]]:
    """Yield what the parts of compound rules leave as it is, as arguments of `narrow`.

    One of `all` that is normal begins at no reading that contradicts it, whatever other keys show.
    """
    key = rule.astype(np.int64) << 32 | device
    stirs = compound.is_any[rule] | np.isin(key, active.key)
    pages, columns = np.array(compound.keys, np.intp).reshape(-1, 2).T
    for places, limits in zip(compound.columns, compound.limits, strict=True):
        place = places[rule]
        stream = _streams(compound, device, pages[place])
        asked = np.flatnonzero((place >= 0) & (stream > 0))
        low, high = _without(limits.breach, rule[asked])
        low[stirs[asked]] = np.inf
        yield stream[asked], columns[place[asked]], (low, high)


def _streams(compound: Compound, device: Int32s, page: Ints) -> Int32s:
    """Return the streams of devices' pages, 0 where there is none."""
    order = np.lexsort((compound.page, compound.device))
    known = compound.device[order].astype(np.int64) << 16 | compound.page[order]
    asked = device.astype(np.int64) << 16 | page
    at = np.minimum(np.searchsorted(known, asked), max(len(known) - 1, 0))
    if not len(known):
        return np.zeros(len(device), np.int32)
    found: Int32s = np.where(known[at] == asked, compound.stream_id[order][at], 0)
    return found


def _ranges(plan: Plan, active: Active, rule: Ints, stream: Int32s) -> Range:
    """Return what leaves each pair of rule and stream in its state."""
    low, high = _without(plan.ranks[0].breach, rule)
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
