"""The vectorised evaluator against a slow, obvious one: reading by reading, rule by rule."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.obvious import Told, obvious
from support.timelines import Row, defined, play_all, told

from alerts import evaluate
from alerts.check import check
from alerts.plan import Schema
from alerts.rules import Definition

DEVICES = {"a": [1, 5], "b": [2, 6], "c": [3, 7]}
KEYS = {"x": 0, "y": 1, "z": 17}
WHERE = Schema(slots=KEYS, kinds=dict.fromkeys(KEYS, "number"), devices=DEVICES, codes={})
HOUR = 3600.0
LIMIT = st.sampled_from([0.0, 1.0, 2.0, 3.0])
LASTING = st.sampled_from([0.0, 0.0, 2.0])
PLAIN = st.sampled_from(["equal_to", "not_equal_to", "less_or_equal", "greater_or_equal"])
SCHEDULES = st.sampled_from(
    [
        None,
        None,
        {"timezone": "UTC", "from": "00:00", "to": "03:00"},
        {"timezone": "Europe/Berlin", "days": ["thu", "sun"], "from": "22:00", "to": "05:00"},
        {"timezone": "Asia/Kolkata", "to": "24:00"},
    ]
)


@st.composite
def questions(draw: st.DrawFn, parts: bool = False) -> dict[str, Any]:
    """One comparison over small whole limits, so that readings often lie exactly on one."""
    kind = draw(st.sampled_from(["plain", "range", "clear"]))
    low = draw(LIMIT)
    if kind == "plain":
        return {"condition": draw(PLAIN), "threshold": low}
    if kind == "range":
        condition = draw(st.sampled_from(["between", "outside"]))
        return {"condition": condition, "threshold": low, "threshold_high": low + draw(LIMIT)}
    up = draw(st.booleans())
    clear = low + draw(st.sampled_from([0.0, 1.0])) * (-1 if up else 1)
    condition = "greater_than" if up else "less_than"
    return {"condition": condition, "threshold": low, "clear_threshold": clear}


@st.composite
def rules(draw: st.DrawFn) -> Definition:
    """Rules of every kind that readings judge."""
    kind = draw(st.sampled_from(["simple", "rate", "escalating", "compound"]))
    spec: dict[str, Any] = {"severity": "info", "schedule": draw(SCHEDULES)}
    spec["for_seconds"] = draw(LASTING)
    key = draw(st.sampled_from([*KEYS, "unknown"]))
    if kind == "simple":
        spec |= draw(questions())
    elif kind == "rate":
        spec |= {"condition": "rate_above", "threshold": 60.0, "clear_threshold": 30.0}
    elif kind == "escalating":
        steps = [
            {"severity": "warning", "threshold": 2.0, "clear_threshold": draw(LIMIT) % 2 + 1},
            {"severity": "critical", "threshold": 3.0},
        ]
        spec |= {"condition": "greater_than", "threshold": draw(LIMIT) % 2}
        spec["escalation"] = steps[draw(st.integers(0, 1)) :]
    else:
        some = draw(
            st.lists(st.tuples(st.sampled_from([*KEYS]), questions()), min_size=1, max_size=3)
        )
        field = draw(st.sampled_from(["all", "any"]))
        spec[field] = [{"key": name, **question} for name, question in some]
        key = some[0][0]
    device = draw(st.sampled_from([None, None, "a", "b", "c"]))
    made = defined(key=key, device=device, **spec)
    check(made, dict.fromkeys(KEYS, "number"))
    return made


VALUES = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0])
MOMENTS = st.one_of(
    st.integers(0, 12).map(float), st.integers(0, 40).map(lambda hours: hours * HOUR)
)
READING = st.tuples(
    st.sampled_from([*DEVICES]), MOMENTS, st.dictionaries(st.sampled_from([*KEYS]), VALUES)
)
BATCHES = st.lists(st.lists(READING, max_size=14), max_size=5)


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
