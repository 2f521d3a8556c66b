"""The series of an answer before they share labels: a value by time for one key, pooled or by device.

Values are aggregates of a window's buckets, or readings picked from it.
"""

from collections.abc import Sequence

import msgspec

from twin.errors import Invalid, ItemError
from widgets.answers import Value
from widgets.carry import CARRYING, carried
from widgets.fill import Before
from widgets.question import Grouping, Question
from widgets.rows import Rows
from widgets.run import Reader
from widgets.spec import FEWEST_PICKED, WidgetSpec
from widgets.subject import Subject
from widgets.thin import Samples
from widgets.window import Window

MAX_SERIES = 100
"""Most lines in one answer."""


class Track(msgspec.Struct, frozen=True):
    """One series: values by µs, the rows they are of, and what a gap at its begin is filled from."""

    key: str
    device: str | None
    values: dict[int, Value]
    rows: Rows = Rows()
    before: Before | None = None

    def envelope(self, starts: Sequence[int]) -> tuple[list[float | None], list[float | None]]:
        """Return the lowest and highest value of some buckets."""
        if starts == self.rows.bucket_us:
            return self.rows.low, self.rows.high
        sides = (self.rows.low, self.rows.high)
        low, high = (dict(zip(self.rows.bucket_us, side, strict=True)) for side in sides)
        return list(map(low.get, starts)), list(map(high.get, starts))


def question_of(
    spec: WidgetSpec,
    subject: Subject,
    window: Window,
    grouping: Grouping,
    *,
    envelope: bool = False,
) -> Question:
    """Return what a widget asks about one key."""
    return Question(
        streams=subject.streams(spec.device),
        column=subject.key.column,
        agg=subject.agg,
        from_us=window.from_us,
        end_us=window.end_us,
        grouping=grouping,
        window=window if grouping in ("time", "device_time") else None,
        envelope=envelope,
    )


async def pooled(
    spec: WidgetSpec, subject: Subject, window: Window, reader: Reader, *, envelope: bool = False
) -> Track:
    """Return the buckets of one key, of all of its devices together."""
    question = question_of(spec, subject, window, "time", envelope=envelope)
    rows = await reader.groups(question)
    values = dict(zip(rows.bucket_us, subject.presented(rows.value), strict=True))
    before = await _before(spec, subject, question.streams, window, reader, values)
    return Track(subject.key.key, None, values, rows, before)


async def by_device(
    spec: WidgetSpec, subject: Subject, window: Window, reader: Reader
) -> list[Track]:
    """Return the buckets of one key for each device, by name."""
    question = question_of(spec, subject, window, "device_time")
    of: dict[float, dict[int, Value]] = {stream: {} for stream in question.streams}
    rows = await reader.groups(question)
    values_of = zip(rows.group, rows.bucket_us, subject.presented(rows.value), strict=True)
    for stream, start_us, value in values_of:
        of[stream][start_us] = value
    tracks = []
    for stream, values in of.items():
        before = await _before(spec, subject, (int(stream),), window, reader, values)
        tracks.append(Track(subject.key.key, subject.device_of(stream), values, before=before))
    return _by_name(tracks)


async def picked(
    spec: WidgetSpec,
    subject: Subject,
    window: Window,
    reader: Reader,
    points: int,
    *,
    each_device: bool = False,
) -> list[Track]:
    """Return at most `points` readings of one key: of all devices together or of each.

    Raises Invalid for a key that is no number.
    """
    if subject.key.kind in ("text", "boolean"):
        message = f"downsample {spec.downsample} needs a number, '{subject.key.key}' is a "
        message += f"{subject.key.kind} key: use downsample bucket"
        raise Invalid(f"{message}.", errors=[ItemError(key="downsample", message=message)])
    points = max(points, FEWEST_PICKED[spec.downsample])
    question = question_of(spec, subject, window, "device_time" if each_device else "time")
    found = await reader.samples(question, spec.downsample, points)
    if not each_device:
        return [Track(subject.key.key, None, _values(found.get(0)))]
    return _by_name(
        [
            Track(subject.key.key, subject.device_of(stream), _values(found.get(stream)))
            for stream in question.streams
        ]
    )


async def _before(
    spec: WidgetSpec,
    subject: Subject,
    streams: tuple[int, ...],
    window: Window,
    reader: Reader,
    values: dict[int, Value],
) -> Before | None:
    if spec.fill not in CARRYING or window.starts[0] in values:
        return None
    return await carried(subject, streams, window, reader)


def _values(samples: Samples | None) -> dict[int, Value]:
    """Return the readings themselves, whatever is asked of pooled ones: they are numbers."""
    if samples is None:
        return {}
    return dict(zip(samples.ts_us.tolist(), samples.values.tolist(), strict=True))


def _by_name(tracks: list[Track]) -> list[Track]:
    return sorted(tracks, key=lambda track: track.device or "")


def too_many(field: str, what: str, limit: int) -> Invalid:
    """Return the refusal of an answer that would show more than `limit`."""
    message = f"{what} are more than the {limit} that one answer may show; choose fewer"
    return Invalid(f"{message}.", errors=[ItemError(key=field, message=message)])
