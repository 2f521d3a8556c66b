"""One rule and one stream: from a state, through readings in order of time, to the transitions.

Pure: the only time is event time. Invariant: a reading older than the newest one that was judged
changes nothing.
"""

from enum import IntEnum

import msgspec
import numpy as np
import numpy.typing as npt

from twin.batch import Floats, Int64s

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]

LONG_AGO = -(2**63)
"""Before every reading, in µs."""
SCHEDULE_ENDED = "schedule ended"


class Level(IntEnum):
    """The state of a rule for a device."""

    NORMAL = 0
    PENDING = 1
    FIRING = 2
    DISABLED = 3
    """Judging raised: nothing is judged until the rule is changed."""


class State(msgspec.Struct, frozen=True):
    """Where a rule stands for a device.

    since_us: the reading that caused it; last_us: the newest reading judged by then; rank: the
    place of a firing alert's severity among those of its rule.
    """

    level: Level = Level.NORMAL
    since_us: int = 0
    last_us: int = LONG_AGO
    value: float | None = None
    rank: int = 0


NORMAL = State()


class Candidate(msgspec.Struct, frozen=True):
    """The present readings of one stream that may change one rule's state, in order of time.

    breach, persists: [readings, ranks]; ended: where not a reading but a schedule's end stands;
    newest_us: the newest reading stored before, None where the database has to be asked.
    """

    rule: int
    stream_id: int
    ts_us: Int64s
    value: Floats
    breach: Bools
    persists: Bools
    ended: Bools | None = None
    newest_us: int | None = None


class Step(msgspec.Struct, frozen=True):
    """One transition: the reading at `ts_us` took the rule from one level or rank to another."""

    before: State
    level: Level
    ts_us: int
    value: float | None
    rank: int = 0
    reason: str | None = None


def judge(candidate: Candidate, state: State, for_us: int, newest_us: int) -> list[Step]:
    """Return the transitions of a rule for a stream, in order of time.

    Readings before `newest_us` (the newest one that was stored before) or before the newest judged
    at the last transition are late. A reading at that very time is a correction and is judged;
    the same reading sent again finds the state it left behind, so nothing happens twice.
    """
    steps: list[Step] = []
    if state.level is Level.DISABLED:
        return steps
    ts_us = candidate.ts_us
    at = int(np.searchsorted(ts_us, max(newest_us, state.last_us)))
    crossings = _Crossings(candidate)
    last_us = int(ts_us[-1])
    while at < len(ts_us):
        at, level = _next_level(crossings, ts_us, at, state, for_us)
        if at == len(ts_us):
            break
        step = _step(candidate, at, state, level)
        steps.append(step)
        state = after(step, last_us)
        at += 1
    return steps


def after(step: Step, last_us: int) -> State:
    """Return the state that a transition leads to, `last_us` being the newest reading judged."""
    stays = step.before.level is Level.FIRING and step.level is Level.FIRING
    since_us = step.before.since_us if stays else step.ts_us
    return State(step.level, since_us, last_us, step.value, step.rank)


def _next_level(
    crossings: "_Crossings", ts_us: Int64s, at: int, state: State, for_us: int
) -> tuple[int, Level]:
    """Return the first reading from `at` on that changes level or rank, and the new level."""
    if state.level is Level.NORMAL:
        return crossings.breach(at), Level.PENDING if for_us else Level.FIRING
    if state.level is Level.FIRING:
        at = crossings.change(at, state.rank)
        return at, Level.FIRING if crossings.goes_on(at) else Level.NORMAL
    ripe = max(at, int(np.searchsorted(ts_us, state.since_us + for_us)))
    calm = crossings.calm(at)
    return (ripe, Level.FIRING) if ripe < calm else (calm, Level.NORMAL)


def _step(candidate: Candidate, at: int, state: State, level: Level) -> Step:
    is_end = candidate.ended is not None and bool(candidate.ended[at])
    return Step(
        before=state,
        level=level,
        ts_us=int(candidate.ts_us[at]),
        value=None if is_end else float(candidate.value[at]),
        rank=_rank(candidate, at, state) if level is Level.FIRING else 0,
        reason=SCHEDULE_ENDED if is_end else None,
    )


def _rank(candidate: Candidate, at: int, state: State) -> int:
    """Return the highest rank that begins at a reading, or began before and goes on."""
    holds = candidate.breach[at].copy()
    if state.level is Level.FIRING:
        holds[: state.rank + 1] |= candidate.persists[at, : state.rank + 1]
    return int(np.flatnonzero(holds)[-1])


class _Crossings:
    """Finds the next reading of a kind without looking at every one between."""

    def __init__(self, candidate: Candidate) -> None:
        self._n = len(candidate.ts_us)
        self._held = candidate.breach
        self._persists = candidate.persists
        self._breach = np.flatnonzero(candidate.breach[:, 0])
        self._calm = np.flatnonzero(~candidate.breach[:, 0])
        self._changes: dict[int, Ints] = {}

    def breach(self, at: int) -> int:
        return self._next(self._breach, at)

    def calm(self, at: int) -> int:
        return self._next(self._calm, at)

    def goes_on(self, at: int) -> bool:
        return at < self._n and bool(self._persists[at, 0])

    def change(self, at: int, rank: int) -> int:
        """Return the next reading that ends an alert of a rank, or gives it another rank."""
        if rank not in self._changes:
            leaves = ~self._persists[:, 0] | ~self._persists[:, rank]
            leaves |= self._held[:, rank + 1 :].any(axis=1)
            self._changes[rank] = np.flatnonzero(leaves)
        return self._next(self._changes[rank], at)

    def _next(self, places: Ints, at: int) -> int:
        i = int(np.searchsorted(places, at))
        return int(places[i]) if i < len(places) else self._n
