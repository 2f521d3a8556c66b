"""Single and double answers: the newest value, or an aggregate of a stretch of time."""

import asyncio

import msgspec

from twin.clock import to_rfc3339
from twin.moments import MAX_US
from widgets.answers import DoubleAnswer, DoublePart, SingleAnswer, Value
from widgets.question import Question
from widgets.run import Reader
from widgets.spec import WidgetSpec
from widgets.subject import Subject
from widgets.window import Window


class Moment(msgspec.Struct, frozen=True):
    """Until when to look: `end_us` is exclusive; `now_us` is where the newest value is expected."""

    now_us: int
    end_us: int = MAX_US


class Shown(msgspec.Struct, frozen=True):
    """A value, the one before it, and the time of the newest reading behind it."""

    value: Value = None
    ts_us: int | None = None
    previous: Value = None


async def shown(
    spec: WidgetSpec, subject: Subject, window: Window | None, moment: Moment, reader: Reader
) -> Shown:
    """Return what a widget shows of one key."""
    streams, column = subject.streams(spec.device), subject.key.column
    begin_us = window.from_us if window is not None else 0
    end_us = window.end_us if window is not None else moment.end_us
    pool = subject.pool if spec.device is None else None
    newest = await reader.newest(
        streams, column, begin_us, end_us, moment.now_us, subject.party, pool
    )
    if not newest:
        return Shown()
    if window is None or spec.agg in (None, "last"):
        previous = subject.stored(newest[1].value) if len(newest) > 1 else None
        return Shown(subject.stored(newest[0].value), newest[0].ts_us, previous)
    length_us = window.to_us - window.from_us
    value = await _whole(subject, streams, window.from_us, window.end_us, reader)
    previous = await _whole(
        subject, streams, max(window.from_us - length_us, 0), window.from_us, reader
    )
    return Shown(value, newest[0].ts_us, previous)


async def single(
    spec: WidgetSpec, subject: Subject, window: Window | None, moment: Moment, reader: Reader
) -> tuple[SingleAnswer, int]:
    """Return a single as long as it is fresh, and the moment (µs) from which on it is stale."""
    found = await shown(spec, subject, window, moment, reader)
    stale_us = 0 if found.ts_us is None else found.ts_us + spec.stale_seconds * 1_000_000
    answer = SingleAnswer(
        title=spec.title,
        unit=subject.unit(spec.unit),
        value=found.value,
        ts=_time(found.ts_us),
        previous=found.previous,
        delta=_difference(found.value, found.previous),
        stale=False,
    )
    return answer, stale_us


async def double(
    spec: WidgetSpec,
    subjects: tuple[Subject, Subject],
    window: Window | None,
    moment: Moment,
    reader: Reader,
) -> DoubleAnswer:
    """Return two values side by side; the spec's unit is the primary's."""
    found = await asyncio.gather(
        *(shown(spec, subject, window, moment, reader) for subject in subjects)
    )
    parts = [
        DoublePart(subject.key.key, part.value, subject.unit(unit), _time(part.ts_us))
        for subject, part, unit in zip(subjects, found, (spec.unit, None), strict=True)
    ]
    return DoubleAnswer(title=spec.title, primary=parts[0], secondary=parts[1])


async def _whole(
    subject: Subject, streams: tuple[int, ...], from_us: int, end_us: int, reader: Reader
) -> Value:
    question = Question(streams, subject.key.column, subject.agg, from_us, end_us, "whole")
    rows = await reader.groups(question)
    return subject.present(rows.value[0]) if rows else None


def _difference(value: Value, previous: Value) -> float | None:
    if isinstance(value, bool) or isinstance(previous, bool):
        return None
    if isinstance(value, int | float) and isinstance(previous, int | float):
        return value - previous
    return None


def _time(ts_us: int | None) -> str | None:
    return None if ts_us is None else to_rfc3339(ts_us)
