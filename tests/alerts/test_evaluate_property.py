"""The vectorised evaluator against a slow, obvious one: reading by reading, rule by rule."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import evaluate
from alerts.evaluate import (
    NORMAL,
    Level,
    State,
    active_states,
    after,
    find_candidates,
    judge,
    pair_key,
)
from alerts.plan import Schema, make_plan
from alerts.rules import Definition, Spec
from twin.batch import PAGE_SLOTS, Rows

DEVICES = {"a": [1, 5], "b": [2, 6], "c": [3, 0]}
KEYS = {"x": 0, "y": 1, "z": 17}
WHERE = Schema(slots=KEYS, kinds=dict.fromkeys(KEYS, "number"), devices=DEVICES, codes={})
VALUES = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, math.nan])
Told = list[tuple[int, str, int, str]]


def specs() -> st.SearchStrategy[Spec]:
    """Specs over small whole limits, so that readings often lie exactly on one."""
    limit = st.sampled_from([0.0, 1.0, 2.0, 3.0])
    lasting = st.sampled_from([0.0, 0.0, 2.0])
    severity = st.just("info")
    plain = st.sampled_from(["equal_to", "not_equal_to", "less_or_equal", "greater_or_equal"])
    return st.one_of(
        st.builds(Spec, condition=plain, threshold=limit, for_seconds=lasting, severity=severity),
        st.builds(
            lambda condition, low, width, lasting: Spec(
                condition=condition,
                threshold=low,
                threshold_high=low + width,
                for_seconds=lasting,
                severity="info",
            ),
            st.sampled_from(["between", "outside"]),
            limit,
            limit,
            lasting,
        ),
        st.builds(
            lambda up, limit, margin, lasting: Spec(
                condition="greater_than" if up else "less_than",
                threshold=limit,
                clear_threshold=limit - margin if up else limit + margin,
                for_seconds=lasting,
                severity="info",
            ),
            st.booleans(),
            limit,
            st.sampled_from([0.0, 1.0]),
            lasting,
        ),
    )


RULES = st.lists(
    st.builds(
        Definition,
        name=st.just("r"),
        key=st.sampled_from([*KEYS, "unknown"]),
        device=st.sampled_from([None, "a", "b", "c", "unknown"]),
        spec=specs(),
    ),
    max_size=6,
)
STREAMS = [1, 2, 3, 5, 6, 9]
BATCH = st.dictionaries(
    st.tuples(st.sampled_from(STREAMS), st.integers(0, 12)),
    st.tuples(VALUES, VALUES),
    max_size=20,
)


@settings(max_examples=400, deadline=None)
@given(rules=RULES, batches=st.lists(BATCH, max_size=4), most=st.sampled_from([1, 7, 1 << 20]))
def test_the_vectorised_evaluator_agrees_with_the_obvious_one(
    rules: list[Definition], batches: list[dict[tuple[int, int], tuple[float, float]]], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "MAX_PAIRS", most)
        assert fast(rules, batches) == obvious(rules, batches)


def fast(rules: list[Definition], batches: list[Any]) -> Told:
    plan = make_plan(rules, WHERE)
    states: dict[int, State] = {}
    newest: dict[tuple[int, int], int] = {}
    told: Told = []
    for batch in batches:
        rows = rows_of(batch)
        for c in find_candidates(plan, active_states(plan, states), rows):
            key = pair_key(c.rule, c.stream_id)
            floor = newest.get((c.stream_id, int(plan.column[c.rule])), -(2**63))
            for_us = rules[c.rule].spec.for_us
            steps = judge(c, states.get(key, NORMAL), for_us, floor)
            device = next(d for d, streams in DEVICES.items() if c.stream_id in streams)
            told += [(c.rule, device, s.ts_us // 1_000_000, s.level.name) for s in steps]
            if steps:
                states[key] = after(steps[-1], int(c.ts_us[-1]))
        for stream, ts, values in zip(rows.stream_id, rows.ts_us, rows.values, strict=True):
            for column in np.flatnonzero(~np.isnan(values)).tolist():
                place = int(stream), column
                newest[place] = max(newest.get(place, -1), int(ts))
    return sorted(told)


def obvious(rules: list[Definition], batches: list[Any]) -> Told:
    told: Told = []
    for no, rule in enumerate(rules):
        for device, streams in DEVICES.items():
            if rule.key not in KEYS or rule.device not in (None, device):
                continue
            page, column = divmod(KEYS[rule.key], PAGE_SLOTS)
            level, since, newest = Level.NORMAL, 0, -1
            for batch in batches:
                readings = sorted(
                    (t, values[column])
                    for (stream, t), values in batch.items()
                    if stream == streams[page] and not math.isnan(values[column])
                )
                floor = newest
                for t, value in readings:
                    newest = max(newest, t)
                    if t < floor:
                        continue
                    new = next_level(rule.spec, level, t - since, value)
                    if new is not level:
                        level, since = new, t
                        told.append((no, device, t, level.name))
    return sorted(told)


def next_level(spec: Spec, level: Level, lasted_s: float, value: float) -> Level:
    if level is Level.FIRING:
        limit = spec.threshold if spec.clear_threshold is None else spec.clear_threshold
        return Level.FIRING if is_true(spec, value, limit) else Level.NORMAL
    if not is_true(spec, value, spec.threshold):
        return Level.NORMAL
    if level is Level.PENDING:
        return Level.FIRING if lasted_s >= spec.for_seconds else Level.PENDING
    return Level.PENDING if spec.for_seconds else Level.FIRING


def is_true(spec: Spec, value: float, limit: Any) -> bool:
    high = spec.threshold_high if spec.threshold_high is not None else math.inf
    return {
        "greater_than": value > limit,
        "greater_or_equal": value >= limit,
        "less_than": value < limit,
        "less_or_equal": value <= limit,
        "equal_to": value == limit,
        "not_equal_to": value != limit,
        "between": limit <= value <= high,
        "outside": value < limit or value > high,
    }[spec.condition]


def rows_of(batch: dict[tuple[int, int], tuple[float, float]]) -> Rows:
    places = sorted(batch)
    values = np.full((len(places), PAGE_SLOTS), np.nan)
    for i, place in enumerate(places):
        values[i, :2] = batch[place]
    return Rows(
        np.array([stream for stream, _ in places], np.int32),
        np.array([t * 1_000_000 for _, t in places], np.int64),
        values,
    )
