"""Timelines: readings over time, and the transitions they must cause.

A timeline is judged by the evaluator batch by batch, as the hook does it, without a database: what
was stored before a batch is looked up in a dictionary, reading by reading.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from alerts.judge import Level
from alerts.known import Known, known_key
from alerts.plan import Schema
from alerts.replay import Played, Replay
from alerts.rules import Definition, Spec
from twin.batch import PAGE_SLOTS, Rows

STREAM = 7
Reading = tuple[float, float | None]
"""(seconds, value); None = the key is absent."""
Row = tuple[str, float, Mapping[str, float]]
"""(device, seconds, values by key)."""


def rule(condition: str, threshold: Any, **more: Any) -> Definition:
    """Return a rule on the key ``temperature`` of every device."""
    return defined(condition=condition, threshold=threshold, **more)


def defined(key: str = "temperature", device: str | None = None, **spec: Any) -> Definition:
    """Return any rule."""
    asked = msgspec.convert({"severity": "critical", **spec}, Spec)
    return Definition(name="test", key=key, device=device, spec=asked)


def schema(kind: str = "number", **codes: int) -> Schema:
    """Return a datasource with one key in slot 0 and one device, stream 7."""
    return Schema(
        slots={"temperature": 0}, kinds={"temperature": kind}, devices={"": [STREAM]}, codes=codes
    )


PUMP = Schema(
    slots={"temperature": 0, "pressure": 1, "flow": 17},
    kinds=dict.fromkeys(["temperature", "pressure", "flow"], "number"),
    devices={"": [STREAM, 8]},
    codes={},
)
"""One pump with three keys, one of which lies in a second page."""


class Stored:
    """What a database would hold, and what it would say of the time before a batch."""

    def __init__(self, where: Schema) -> None:
        self._where = where
        self._values: dict[tuple[int, int], dict[int, float]] = {}

    def rows(self, readings: Iterable[Row]) -> Rows:
        """Return readings as a batch: in order of stream and time, the later of equals wins."""
        cells: dict[tuple[int, int], dict[int, float]] = {}
        for device, seconds, values in readings:
            ts_us = round(seconds * 1_000_000)
            cells.setdefault((self._where.devices[device][0], ts_us), {})
            for key, value in values.items():
                page, column = divmod(self._where.slots[key], PAGE_SLOTS)
                stream = self._where.devices[device][page]
                if stream:
                    cells.setdefault((stream, ts_us), {})[column] = value
        places = sorted(cells)
        table = np.full((len(places), PAGE_SLOTS), np.nan)
        for i, place in enumerate(places):
            for column, value in cells[place].items():
                table[i, column] = value
        return Rows(
            np.array([stream for stream, _ in places], np.int32),
            np.array([ts_us for _, ts_us in places], np.int64),
            table,
        )

    def before(self, rows: Rows) -> tuple[Known, dict[tuple[int, int], int]]:
        """Return the newest values that are none of the batch's own, in both forms."""
        own = {
            (int(stream), column, int(ts_us))
            for stream, ts_us, values in zip(rows.stream_id, rows.ts_us, rows.values, strict=True)
            for column in np.flatnonzero(~np.isnan(values)).tolist()
        }
        newest = {}
        for (stream, column), values in self._values.items():
            others = [ts_us for ts_us in values if (stream, column, ts_us) not in own]
            if others:
                newest[stream, column] = max(others)
        places = sorted(newest)
        keys = [int(known_key(np.array([s], np.int32), c)[0]) for s, c in places]
        known = Known(
            np.array(keys, np.int64),
            np.array([newest[place] for place in places], np.int64),
            np.array([self._values[place][newest[place]] for place in places], np.float64),
        )
        return known, newest

    def add(self, rows: Rows) -> None:
        """Store a batch."""
        for stream, ts_us, values in zip(rows.stream_id, rows.ts_us, rows.values, strict=True):
            for column in np.flatnonzero(~np.isnan(values)).tolist():
                place = self._values.setdefault((int(stream), column), {})
                place[int(ts_us)] = float(values[column])


def play_all(
    rules: Sequence[Definition], batches: Iterable[Iterable[Row]], where: Schema
) -> list[Played]:
    """Return every transition that batches of readings cause."""
    replay, stored = Replay(rules, where), Stored(where)
    seen = []
    for batch in batches:
        rows = stored.rows(batch)
        seen += replay.play(rows, *stored.before(rows))
        stored.add(rows)
    return seen


def play(
    definition: Definition, batches: Sequence[Sequence[Any]], where: Schema | None = None
) -> list[tuple[float, str]]:
    """Return (seconds, new state) of every transition of one rule and device.

    A reading is (second, value of ``temperature``) or (second, values by key). A firing alert of a
    rule that escalates is told with its severity.
    """
    rows = [[("", at, _values(value)) for at, value in batch] for batch in batches]
    return [
        (played.step.ts_us / 1_000_000, told(definition, played))
        for played in play_all([definition], rows, where or schema())
    ]


def told(definition: Definition, played: Played) -> str:
    """Return what a transition leads to, in a word."""
    name = played.step.level.name.lower()
    if played.step.level is Level.FIRING and definition.spec.escalation:
        return f"{name} {definition.spec.severities[played.step.rank]}"
    return name


def _values(value: Any) -> Mapping[str, float]:
    if isinstance(value, Mapping):
        return value
    return {} if value is None or math.isnan(value) else {"temperature": value}


def rows_of(readings: Sequence[Reading]) -> Rows:
    """Return readings of ``temperature`` of stream 7 as a batch."""
    return Stored(schema()).rows(("", at, _values(value)) for at, value in readings)
