"""What stirs nothing changes nothing, and what is calm stirs nothing."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_rules import BATCHES, WHERE, rules
from support.timelines import PUMP, Row, Stored, defined, rule

from alerts.calm import Calm, Standing, make_calm, remade, stirred
from alerts.compound import find_joined
from alerts.evaluate import Active, find_candidates
from alerts.known import Known
from alerts.plan import Plan, Schema
from alerts.rates import read_rates
from alerts.replay import Replay
from alerts.rules import Definition
from alerts.states import no_states
from twin.batch import Rows

PARTS = [
    {"key": "temperature", "condition": "greater_than", "threshold": 80},
    {"key": "pressure", "condition": "greater_than", "threshold": 5},
]
HOT_AND_TIGHT, HOT_OR_TIGHT = defined(all=PARTS), defined(any=PARTS)
CLIMB = {"escalation": [{"severity": "critical", "threshold": 95.0, "clear_threshold": 90.0}]}


class Watch:
    """Rules, and what is stored."""

    def __init__(self, some: list[Definition], where: Schema) -> None:
        self.replay, self.stored = Replay(some, where), Stored(where)
        self.devices = where.devices.values()
        self.numbers = np.arange(len(some), dtype=np.int64)
        self.calm = self.calm_now()

    def calm_now(self) -> Calm:
        standing = Standing(self.replay.plan, self.replay.active(), no_states(), self.numbers)
        calm = make_calm(standing)
        assert calm is not None
        return calm

    def send(self, batch: list[Row]) -> tuple[bool, bool]:
        """Return whether a batch stirs nothing, and whether it changed something."""
        rows = self.stored.rows(batch)
        plan, active = self.replay.plan, self.replay.active()
        known, newest_us = self.stored.before(rows)
        part = stirred(plan, self.calm, rows, known)
        judged = [] if part is None else found(plan, active, part.rows, part.known)
        assert judged == found(plan, active, rows, known)
        changed = {played.stream_id for played in self.replay.play(rows, known, newest_us)}
        standing = Standing(plan, self.replay.active(), no_states(), self.numbers)
        streams = [s for pages in self.devices if changed & {*pages} for s in pages]
        self.calm = remade(self.calm, standing, np.unique(np.array(streams, np.int32)))
        anew = self.calm_now()
        assert np.array_equal(self.calm.low, anew.low)
        assert np.array_equal(self.calm.high, anew.high)
        self.stored.add(rows)
        return part is None, bool(changed)


def found(plan: Plan, active: Active, rows: Rows, known: Known) -> list[tuple[object, ...]]:
    """Return all candidates of a batch, comparable."""
    rates = read_rates(plan.rates, rows, known) if plan.rates else None
    candidates = find_candidates(plan, active, rows, rates) + find_joined(plan, active, rows, known)
    return sorted((c.rule, c.stream_id, c.ts_us.tolist(), repr(c)) for c in candidates)


@settings(max_examples=120, deadline=None)
@given(some=st.lists(rules(), max_size=4), batches=BATCHES)
def test_only_what_stirs_has_candidates(some: list[Definition], batches: list[list[Row]]) -> None:
    watch = Watch(some, WHERE)
    for batch in batches:
        assert watch.send(batch) != (True, True)


@pytest.mark.parametrize(
    ("asked", "first", "calm", "stirring"),
    [
        (rule("greater_than", 80.0), 20, [79.9, 80.0, -1e9], [80.1]),
        (rule("greater_or_equal", 80.0), 20, [79.9], [80.0]),
        (rule("less_than", 5.0, for_seconds=9), 20, [5.0], [4.9]),
        (rule("outside", 10.0, threshold_high=20.0), 15, [10.0, 20.0], [9.9, 20.1]),
        (rule("greater_than", 80.0, clear_threshold=70.0), 81, [70.1, 99.0], [70.0]),
        (rule("greater_than", 80.0, severity="warning", **CLIMB), 81, [94, 95], [80.0, 96]),
        (rule("greater_than", 80.0, severity="warning", **CLIMB), 99, [91, 1e9], [90.0, 20.0]),
        (rule("not_equal_to", 4.0), 4, [4.0], [5.0]),
        (rule("not_equal_to", 4.0), 5, [], [4.0]),
        (rule("rate_above", 60.0), 0, [0.9, 1.0, -5.0], [1.1]),
        (HOT_AND_TIGHT, 20, [20.0], [90.0]),
        (HOT_OR_TIGHT, 20, [], [20.0]),
    ],
)
def test_calm_values_are_foreseen(
    asked: Definition, first: float, calm: list[float], stirring: list[float]
) -> None:
    def after(value: Any) -> tuple[bool, bool]:
        watch = Watch([asked], PUMP)
        watch.send([("", 0, {"temperature": first})])
        return watch.send([("", 1, {"temperature": value, "pressure": 4.0})])

    assert [after(value) for value in calm] == [(True, False)] * len(calm)
    assert [after(value)[0] for value in stirring] == [False] * len(stirring)
