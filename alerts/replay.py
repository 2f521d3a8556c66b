"""Rules played over readings in memory, without a database: for dry runs. Pure.

Judges as the hook does, except `no_data`, which needs a clock.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from alerts.compound import find_joined
from alerts.evaluate import Active, find_candidates, pair_key
from alerts.judge import LONG_AGO, NORMAL, Candidate, Level, State, Step, after, judge
from alerts.known import Known
from alerts.plan import Plan, Schema, make_plan
from alerts.rates import read_rates
from alerts.rules import Definition
from twin.batch import Rows


class Played(msgspec.Struct, frozen=True):
    """A transition of the rule at a place of the list, for the device of a stream."""

    rule: int
    stream_id: int
    step: Step


class Replay:
    """Rules and their states."""

    def __init__(self, rules: Sequence[Definition], schema: Schema) -> None:
        """Begin with every state normal."""
        self._rules = rules
        self.plan = make_plan(rules, schema)
        self._states: dict[int, State] = {}

    def active(self) -> Active:
        """Return the states that are not normal."""
        return active_of(self.plan, self._states)

    def play(
        self, rows: Rows, known: Known, newest_us: Mapping[tuple[int, int], int]
    ) -> list[Played]:
        """Judge a batch.

        known: what was stored before it, as `alerts/known.py` wants it; newest_us: the newest
        reading that was stored before, by stream and column.
        """
        active = self.active()
        rates = read_rates(self.plan.rates, rows, known) if self.plan.rates else None
        found = find_candidates(self.plan, active, rows, rates)
        found += find_joined(self.plan, active, rows, known)
        return [played for candidate in found for played in self._judged(candidate, newest_us)]

    def _judged(
        self, candidate: Candidate, newest_us: Mapping[tuple[int, int], int]
    ) -> list[Played]:
        key = pair_key(candidate.rule, candidate.stream_id)
        place = candidate.stream_id, int(self.plan.source[candidate.rule])
        newest = candidate.newest_us
        if newest is None:
            newest = newest_us.get(place, LONG_AGO)
        for_us = self._rules[candidate.rule].spec.for_us
        steps = judge(candidate, self._states.get(key, NORMAL), for_us, newest)
        if steps:
            self._states[key] = after(steps[-1], int(candidate.ts_us[-1]))
        return [Played(candidate.rule, candidate.stream_id, step) for step in steps]


def active_of(plan: Plan, states: Mapping[int, State]) -> Active:
    """Return states given by `pair_key` as arrays; normal ones are left out."""
    keys = sorted(key for key, state in states.items() if state.level is not Level.NORMAL)
    found = [states[key] for key in keys]
    since_us = np.array([s.since_us for s in found], np.int64)
    return Active(
        key=np.array(keys, np.int64),
        level=np.array([s.level for s in found], np.intp),
        rank=np.array([s.rank for s in found], np.intp),
        since_us=since_us,
        due_us=since_us + plan.for_us[np.array(keys, np.int64) >> 32],
    )
