"""The evaluator: rules, states and rows in, transitions out. Pure: the only time is event time.

A *pair* is one rule and one row that it judges. All pairs of a batch are compared in a few numpy
sweeps; Python sees only *candidates*: a rule and a stream where some reading differs from the
present state. Invariant: a reading older than the newest one that was judged changes nothing.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from alerts.plan import Plan
from twin.batch import Floats, Int64s, Rows

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]

MAX_PAIRS = 1 << 20
"""Pairs compared at once, give or take one rule's rows: bounds memory to some 60 MiB."""


class Level(IntEnum):
    """The state of a rule for a device."""

    NORMAL = 0
    PENDING = 1
    FIRING = 2


class State(msgspec.Struct, frozen=True):
    """Where a rule stands for a device.

    since_us: the reading that caused it; last_us: the newest reading judged by then.
    """

    level: Level = Level.NORMAL
    since_us: int = 0
    last_us: int = -(2**63)
    value: float | None = None


NORMAL = State()


class Active(msgspec.Struct, frozen=True):
    """The states that are not normal, as arrays sorted by `key` (rule << 32 | stream)."""

    key: Int64s
    firing: Bools
    due_us: Int64s
    """When a pending rule fires, if it still holds then."""


class Candidate(msgspec.Struct, frozen=True):
    """The present readings of one stream that may change one rule's state, in order of time."""

    rule: int
    stream_id: int
    ts_us: Int64s
    value: Floats
    breach: Bools
    persists: Bools


class Step(msgspec.Struct, frozen=True):
    """One transition: the reading at `ts_us` took the rule from one level to another."""

    before: State
    level: Level
    ts_us: int
    value: float


def pair_key(rule: int, stream_id: int) -> int:
    """Return the number by which `Active` finds a rule's state for a stream."""
    return rule << 32 | stream_id


def active_states(plan: Plan, states: Mapping[int, State]) -> Active:
    """Return the arrays for states given by `pair_key`; normal ones are left out."""
    keys = sorted(key for key, state in states.items() if state.level is not Level.NORMAL)
    found = [states[key] for key in keys]
    due = [s.since_us + int(plan.for_us[k >> 32]) for k, s in zip(keys, found, strict=True)]
    return Active(
        np.array(keys, np.int64),
        np.array([s.level is Level.FIRING for s in found], np.bool_),
        np.array(due, np.int64),
    )


def find_candidates(plan: Plan, active: Active, rows: Rows) -> list[Candidate]:
    """Return every rule and stream of a batch with a reading that contradicts the present state."""
    found: list[Candidate] = []
    for rule, row in _pairs(plan, rows):
        found += _candidates(plan, active, rows, rule, row)
    return found


def _pairs(plan: Plan, rows: Rows) -> Iterator[tuple[Ints, Ints]]:
    """Yield (rule, row) of every pair, a rule's rows together and in order, in bounded pieces."""
    start = np.searchsorted(rows.stream_id, plan.fixed_stream, "left")
    count = np.searchsorted(rows.stream_id, plan.fixed_stream, "right") - start
    present = np.flatnonzero(count)
    yield from _expanded(plan.fixed_rule[present], start[present], count[present], None)
    for broad in plan.broad:
        mine = np.flatnonzero(broad.covers(rows.stream_id))
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


def _candidates(
    plan: Plan, active: Active, rows: Rows, rule: Ints, row: Ints
) -> Iterator[Candidate]:
    value = rows.values[row, plan.column[rule]]
    key = rule.astype(np.int64) << 32 | rows.stream_id[row]
    breach = plan.breach.hold(rule, value)
    persists = plan.persists.hold(rule, value)
    touched = _contradicts(active, key, rows.ts_us[row], breach, persists)
    present = ~np.isnan(value)
    keys = np.unique(key[touched & present])
    if not len(keys):
        return
    # Pairs of one key lie in order of time already: a stable sort keeps them so.
    mine = np.flatnonzero(np.isin(key, keys) & present)
    mine = mine[np.argsort(key[mine], kind="stable")]
    edges = np.append(np.searchsorted(key[mine], keys), len(mine))
    for one, (low, high) in zip(keys.tolist(), pairwise(edges), strict=True):
        at = mine[low:high]
        ts_us = rows.ts_us[row[at]]
        yield Candidate(one >> 32, one & 0xFFFFFFFF, ts_us, value[at], breach[at], persists[at])


def _contradicts(
    active: Active, key: Int64s, ts_us: Int64s, breach: Bools, persists: Bools
) -> Bools:
    """Return which pairs would leave their present level, were they alone."""
    if not len(active.key):
        return breach
    at = np.minimum(np.searchsorted(active.key, key), len(active.key) - 1)
    known = active.key[at] == key
    firing = known & active.firing[at]
    pending = known & ~active.firing[at]
    ripe = ts_us >= active.due_us[at]
    leaves: Bools = np.where(firing, ~persists, np.where(pending, ~breach | ripe, breach))
    return leaves


def judge(candidate: Candidate, state: State, for_us: int, newest_us: int) -> list[Step]:
    """Return the transitions of a rule for a stream, in order of time.

    Readings before `newest_us` (the newest one that was stored before) or before the newest judged
    at the last transition are late. A reading at that very time is a correction and is judged;
    the same reading sent again finds the state it left behind, so nothing happens twice.
    """
    first = int(np.searchsorted(candidate.ts_us, max(newest_us, state.last_us)))
    steps: list[Step] = []
    ts_us = candidate.ts_us
    crossings = _Crossings(candidate)
    last_us = int(ts_us[-1])
    at = first
    while at < len(ts_us):
        at, level = _next_level(crossings, ts_us, at, state, for_us)
        if at == len(ts_us):
            break
        step = Step(state, level, int(ts_us[at]), float(candidate.value[at]))
        steps.append(step)
        state = after(step, last_us)
        at += 1
    return steps


def after(step: Step, last_us: int) -> State:
    """Return the state that a transition leads to, `last_us` being the newest reading judged."""
    return State(step.level, step.ts_us, last_us, step.value)


def _next_level(
    crossings: "_Crossings", ts_us: Int64s, at: int, state: State, for_us: int
) -> tuple[int, Level]:
    """Return the first reading from `at` on that changes the level, and the new one."""
    if state.level is Level.NORMAL:
        return crossings.breach(at), Level.PENDING if for_us else Level.FIRING
    if state.level is Level.FIRING:
        return crossings.end(at), Level.NORMAL
    ripe = max(at, int(np.searchsorted(ts_us, state.since_us + for_us)))
    calm = crossings.calm(at)
    return (ripe, Level.FIRING) if ripe < calm else (calm, Level.NORMAL)


class _Crossings:
    """Finds the next reading of a kind without looking at every one between."""

    def __init__(self, candidate: Candidate) -> None:
        self._n = len(candidate.ts_us)
        self._breach = np.flatnonzero(candidate.breach)
        self._calm = np.flatnonzero(~candidate.breach)
        self._end = np.flatnonzero(~candidate.persists)

    def breach(self, at: int) -> int:
        return self._next(self._breach, at)

    def calm(self, at: int) -> int:
        return self._next(self._calm, at)

    def end(self, at: int) -> int:
        return self._next(self._end, at)

    def _next(self, places: Ints, at: int) -> int:
        i = int(np.searchsorted(places, at))
        return int(places[i]) if i < len(places) else self._n
