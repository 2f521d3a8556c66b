"""The vectorised evaluator against a slow, obvious one: reading by reading, rule by rule."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.obvious import Told, obvious
from support.random_rules import BATCHES, DEVICES, KEYS, WHERE, rules
from support.timelines import Row, play_all, told

from alerts import evaluate
from alerts.rules import Definition


@settings(max_examples=300, deadline=None)
@given(some=st.lists(rules(), max_size=5), batches=BATCHES, most=st.sampled_from([1, 7, 1 << 20]))
def test_the_vectorised_evaluator_agrees_with_the_obvious_one(
    some: list[Definition], batches: list[list[Row]], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "MAX_PAIRS", most)
        played = play_all(some, batches, WHERE)
    seen = [
        (p.rule, device_of(p.stream_id), p.step.ts_us / 1e6, named(some[p.rule], p)) for p in played
    ]
    assert sorted(seen) == expected(some, batches)


def device_of(stream_id: int) -> str:
    return next(device for device, streams in DEVICES.items() if stream_id in streams)


def named(rule: Definition, played: Any) -> str:
    name = told(rule, played)
    return f"firing {rule.spec.severity}" if name == "firing" else name


def expected(some: Sequence[Definition], batches: Sequence[Sequence[Row]]) -> list[Told]:
    known = [(no, rule) for no, rule in enumerate(some) if set(rule.keys) <= set(KEYS)]
    found = obvious([rule for _, rule in known], batches)
    return sorted((known[no][0], *rest) for no, *rest in found)
