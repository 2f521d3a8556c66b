"""Timelines: readings of one device over time, and the transitions they must cause.

A timeline is judged by the evaluator batch by batch, as the hook does it, without a database.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from alerts.evaluate import NORMAL, State, active_states, after, find_candidates, judge, pair_key
from alerts.plan import Schema, make_plan
from alerts.rules import Definition, Spec
from twin.batch import PAGE_SLOTS, Rows

STREAM = 7
Reading = tuple[float, float | None]
"""(seconds, value); None = the key is absent."""


def rule(condition: str, threshold: Any, **more: Any) -> Definition:
    """Return a rule on the key ``temperature`` of every device."""
    spec = Spec(condition=condition, threshold=threshold, severity="critical", **more)
    return Definition(name="test", key="temperature", device=None, spec=spec)


def schema(kind: str = "number", **codes: int) -> Schema:
    """Return a datasource with one key in slot 0 and one device, stream 7."""
    return Schema(
        slots={"temperature": 0}, kinds={"temperature": kind}, devices={"": [STREAM]}, codes=codes
    )


def rows_of(readings: Sequence[Reading]) -> Rows:
    """Return readings of stream 7 as a batch: in order of time, as ingest makes it."""
    ordered = sorted(dict(readings).items())
    values = np.full((len(ordered), PAGE_SLOTS), np.nan)
    values[:, 0] = [math.nan if v is None else v for _, v in ordered]
    return Rows(
        np.full(len(ordered), STREAM, np.int32),
        np.array([round(t * 1_000_000) for t, _ in ordered], np.int64),
        values,
    )


def play(
    definition: Definition, batches: Sequence[Sequence[Reading]], where: Schema | None = None
) -> list[tuple[float, str]]:
    """Return (seconds, new state) of every transition that batches of readings cause."""
    plan = make_plan([definition], where or schema())
    key = pair_key(0, STREAM)
    states: dict[int, State] = {}
    newest_us = -(2**63)
    seen = []
    for batch in batches:
        rows = rows_of(batch)
        for candidate in find_candidates(plan, active_states(plan, states), rows):
            before = states.get(key, NORMAL)
            steps = judge(candidate, before, definition.spec.for_us, newest_us)
            seen += [(step.ts_us / 1_000_000, step.level.name.lower()) for step in steps]
            if steps:
                states[key] = after(steps[-1], int(candidate.ts_us[-1]))
        present = rows.ts_us[~np.isnan(rows.values[:, 0])]
        newest_us = max(newest_us, *present.tolist()) if len(present) else newest_us
    return seen
