"""A batch that is foreseen to change nothing changes nothing, and calm batches are foreseen."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_rules import BATCHES, WHERE, rules
from support.timelines import PUMP, Row, Stored, rule

from alerts.calm import make_calm
from alerts.plan import Schema
from alerts.replay import Replay
from alerts.rules import Definition
from alerts.states import no_states

CLIMB = {"escalation": [{"severity": "critical", "threshold": 95.0, "clear_threshold": 90.0}]}


class Watch:
    """Rules, and what is stored."""

    def __init__(self, some: list[Definition], where: Schema) -> None:
        self.replay, self.stored, self.numbers = Replay(some, where), Stored(where), len(some)

    def send(self, batch: list[Row]) -> tuple[bool, bool]:
        """Return whether a batch was foreseen to change nothing, and whether it changed something."""
        rows = self.stored.rows(batch)
        plan, numbers = self.replay.plan, np.arange(self.numbers, dtype=np.int64)
        calm = make_calm(plan, self.replay.active(), no_states(), numbers)
        assert calm is not None
        foreseen = calm.holds(rows)
        changes = bool(self.replay.play(rows, *self.stored.before(rows)))
        self.stored.add(rows)
        return foreseen, changes


@settings(max_examples=300, deadline=None)
@given(some=st.lists(rules(), max_size=4), batches=BATCHES)
def test_what_is_foreseen_to_change_nothing_changes_nothing(
    some: list[Definition], batches: list[list[Row]]
) -> None:
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
        (rule("rate_above", 60.0), 0, [], [1.0]),
    ],
)
def test_calm_values_are_foreseen(
    asked: Definition, first: float, calm: list[float], stirring: list[float]
) -> None:
    def after(value: Any) -> tuple[bool, bool]:
        watch = Watch([asked], PUMP)
        watch.send([("", 0, {"temperature": first})])
        return watch.send([("", 1, {"temperature": value, "pressure": 7.0})])

    assert [after(value) for value in calm] == [(True, False)] * len(calm)
    assert [after(value)[0] for value in stirring] == [False] * len(stirring)
