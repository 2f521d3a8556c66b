"""The evaluator: rules, states and rows in, candidates out. Pure: the only time is event time.

A *pair* is one rule and one row that it judges. All pairs of a batch are compared in a few numpy
sweeps; Python sees only *candidates*: a rule and a stream where some reading differs from the
present state. What they come to is said by `alerts/judge.py`.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import numpy as np

from alerts.calendar import read_clock
from alerts.judge import LONG_AGO, Bools, Candidate, Ints, Level
from alerts.plan import Lane, Plan
from twin.batch import Floats, Int32s, Int64s, Rows

MAX_PAIRS = 1 << 20
"""Pairs compared at once, give or take one rule's rows: bounds memory to some 100 MiB."""


class Active(msgspec.Struct, frozen=True):
    """The states that are not normal, as arrays sorted by `key` (rule << 32 | stream)."""

    key: Int64s
    level: Ints
    rank: Ints
    since_us: Int64s
    due_us: Int64s
    """When a pending rule fires, if it still holds then."""


class Clocks(msgspec.Struct, frozen=True):
    """What each schedule says of each row: [schedules, rows]."""

    is_open: Bools
    ended_us: Int64s


class Pairs(msgspec.Struct, frozen=True):
    """Pairs to compare; breach and persists by rank."""

    rule: Ints
    row: Ints
    stream_id: Int32s
    ts_us: Int64s
    value: Floats
    present: Bools
    breach: Sequence[Bools]
    persists: Sequence[Bools]


def pair_key(rule: int, stream_id: int) -> int:
    """Return the number by which `Active` finds a rule's state for a stream."""
    return rule << 32 | stream_id


def find_candidates(
    plan: Plan, active: Active, rows: Rows, rates: Floats | None = None
) -> list[Candidate]:
    """Return every rule and stream of a batch with a reading that contradicts the present state.

    rates: [rows, plan.rates], where there are any. Compound rules are not among them.
    """
    found: list[Candidate] = []
    clocks = clocks_of(plan, rows.ts_us)
    table = rows.values if rates is None else np.hstack([rows.values, rates])
    for rule, row in pairs(plan.plain, rows.stream_id):
        value = table[row, plan.column[rule]]
        compared = Pairs(
            rule=rule,
            row=row,
            stream_id=rows.stream_id[row],
            ts_us=rows.ts_us[row],
            value=value,
            present=~np.isnan(value),
            breach=[limits.breach.hold(rule, value) for limits in plan.ranks],
            persists=[limits.persists.hold(rule, value) for limits in plan.ranks],
        )
        found += sift(plan, active, clocks, compared)
    return found


def clocks_of(plan: Plan, ts_us: Int64s) -> Clocks | None:
    """Return what the rules' schedules say of rows, None without schedules."""
    if not plan.schedules:
        return None
    read = [read_clock(schedule, ts_us) for schedule in plan.schedules]
    return Clocks(np.stack([c.is_open for c in read]), np.stack([c.ended_us for c in read]))


def pairs(lane: Lane, stream_id: Int32s) -> Iterator[tuple[Ints, Ints]]:
    """Yield (rule, row) of every pair, a rule's rows together and in order, in bounded pieces.

    `stream_id`: of the rows, sorted.
    """
    start = np.searchsorted(stream_id, lane.fixed_stream, "left")
    count = np.searchsorted(stream_id, lane.fixed_stream, "right") - start
    present = np.flatnonzero(count)
    yield from _expanded(lane.fixed_rule[present], start[present], count[present], None)
    for broad in lane.broad:
        mine = np.flatnonzero(broad.covers(stream_id))
        if len(mine):
            rules = broad.rules
            zeros = np.zeros(len(rules), np.intp)
            yield from _expanded(rules, zeros, np.full(len(rules), len(mine)), mine)


def _expanded(
    rules: Ints, start: Ints, count: Ints, through: Ints | None
) -> Iterator[tuple[Ints, Ints]]:
    """Yield rules[i] with rows start[i] … start[i]+count[i]-1 (of `through`), piece by piece."""
    piece = np.cumsum(count) // MAX_PAIRS
    edges = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), len(rules)]
    for low, high in pairwise(edges):
        n = count[low:high]
        if not len(n):
            continue
        first = np.cumsum(n) - n
        row = np.arange(int(n.sum())) + np.repeat(start[low:high] - first, n)
        yield np.repeat(rules[low:high], n), row if through is None else through[row]


def sift(plan: Plan, active: Active, clocks: Clocks | None, compared: Pairs) -> Iterator[Candidate]:
    """Yield the candidates among pairs, a rule's and a stream's together."""
    key = compared.rule.astype(np.int64) << 32 | compared.stream_id
    schedule = plan.schedule[compared.rule]
    is_open, ended_us = _opening(clocks, schedule, compared.row)
    touched = _contradicts(active, key, compared, is_open, ended_us)
    keys = np.unique(key[touched & compared.present])
    if not len(keys):
        return
    # Pairs of one key lie in order of time already: a stable sort keeps them so.
    mine = np.flatnonzero(np.isin(key, keys) & compared.present)
    mine = mine[np.argsort(key[mine], kind="stable")]
    edges = np.append(np.searchsorted(key[mine], keys), len(mine))
    for one, (low, high) in zip(keys.tolist(), pairwise(edges), strict=True):
        at = mine[low:high]
        candidate = Candidate(
            rule=one >> 32,
            stream_id=one & 0xFFFFFFFF,
            ts_us=compared.ts_us[at],
            value=compared.value[at],
            breach=np.stack([breach[at] for breach in compared.breach], axis=1),
            persists=np.stack([persists[at] for persists in compared.persists], axis=1),
        )
        if is_open is not None and ended_us is not None and schedule[at[0]] >= 0:
            candidate = _scheduled(candidate, is_open[at], ended_us[at])
        if len(candidate.ts_us):
            yield candidate


def _opening(
    clocks: Clocks | None, schedule: Ints, row: Ints
) -> tuple[Bools | None, Int64s | None]:
    """Return for each pair whether its rule's schedule is open, and when it last ended."""
    if clocks is None:
        return None, None
    always = schedule < 0
    is_open = always | clocks.is_open[schedule, row]
    return is_open, np.where(always, LONG_AGO, clocks.ended_us[schedule, row])


def _contradicts(
    active: Active, key: Int64s, compared: Pairs, is_open: Bools | None, ended_us: Int64s | None
) -> Bools:
    """Return which pairs would leave their present level or rank, were they alone."""
    breach = compared.breach[0]
    if is_open is not None:
        breach = breach & is_open
    if not len(active.key):
        return breach
    at = np.minimum(np.searchsorted(active.key, key), len(active.key) - 1)
    known = active.key[at] == key
    level, rank = active.level[at], active.rank[at]
    ripe = compared.ts_us >= active.due_us[at]
    pending, firing = known & (level == Level.PENDING), known & (level == Level.FIRING)
    leaves: Bools = np.where(firing, _shifts(compared, rank), breach)
    leaves = np.where(pending, ~compared.breach[0] | ripe, leaves)
    if is_open is not None and ended_us is not None:
        leaves = (leaves & is_open) | ((pending | firing) & (active.since_us[at] < ended_us))
    kept: Bools = leaves & ~(known & (level == Level.DISABLED))
    return kept


def _shifts(compared: Pairs, rank: Ints) -> Bools:
    """Return which pairs end a firing alert of a rank, or give it another."""
    shifts: Bools = ~compared.persists[0]
    for place in range(1, len(compared.breach)):
        rises, goes_on = compared.breach[place], compared.persists[place]
        shifts = shifts | np.where(rank < place, rises, (rank == place) & ~goes_on)
    return shifts


def _scheduled(candidate: Candidate, is_open: Bools, ended_us: Int64s) -> Candidate:
    """Leave out the readings outside a rule's schedule, and put in the ends of its windows."""
    ends = np.unique(ended_us[ended_us > LONG_AGO])
    ts_us = np.concatenate([ends, candidate.ts_us[is_open]])
    order = np.argsort(ts_us, kind="stable")
    none = np.zeros((len(ends), candidate.breach.shape[1]), np.bool_)
    return msgspec.structs.replace(
        candidate,
        ts_us=ts_us[order],
        value=np.concatenate([np.full(len(ends), np.nan), candidate.value[is_open]])[order],
        breach=np.concatenate([none, candidate.breach[is_open]])[order],
        persists=np.concatenate([none, candidate.persists[is_open]])[order],
        ended=order < len(ends),
    )
