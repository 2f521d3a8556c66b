"""Line and bar answers: which questions a spec asks, and rows into labels and values."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from twin.clock import to_rfc3339
from twin.errors import Invalid, ItemError
from widgets.answers import BarAnswer, LineAnswer, Series, Value
from widgets.fill import filled, labels_of
from widgets.plan import Grouping, Question
from widgets.run import Reader, Row
from widgets.spec import WidgetSpec
from widgets.subject import Subject
from widgets.window import Window

MAX_SERIES = 100
"""Most lines in one answer."""


class Track(msgspec.Struct, frozen=True):
    """One series before it has labels: value, low and high by bucket begin."""

    key: str
    device: str | None
    values: dict[int, Value]
    rows: dict[int, Row]


async def line(
    spec: WidgetSpec, subjects: Sequence[Subject], window: Window, reader: Reader
) -> LineAnswer:
    """Return the line of a spec."""
    envelope = subjects[0].agg == "avg"
    tracks = [await _track(spec, s, window, reader, envelope=envelope) for s in subjects]
    shown = await _shown(spec, subjects, window, reader, tracks)
    starts = labels_of(window.starts, [t.values for t in (*tracks, *shown)], spec.fill)
    return LineAnswer(
        title=spec.title,
        unit=subjects[0].unit(spec.unit),
        from_=to_rfc3339(window.from_us),
        to=to_rfc3339(window.to_us),
        bucket_seconds=window.bucket.nominal_us // 1_000_000,
        labels=[to_rfc3339(start_us) for start_us in starts],
        values=filled(starts, tracks[0].values, spec.fill),
        min=_edge(starts, tracks[0], "low") if envelope else UNSET,
        max=_edge(starts, tracks[0], "high") if envelope else UNSET,
        series=_series(starts, shown, spec.fill) if shown else UNSET,
    )


async def time_bar(
    spec: WidgetSpec, subjects: Sequence[Subject], window: Window, reader: Reader
) -> BarAnswer:
    """Return one bar per bucket."""
    tracks = [await _track(spec, subject, window, reader) for subject in subjects]
    starts = labels_of(window.starts, [track.values for track in tracks], spec.fill)
    return BarAnswer(
        title=spec.title,
        unit=subjects[0].unit(spec.unit),
        labels=[to_rfc3339(start_us) for start_us in starts],
        values=filled(starts, tracks[0].values, spec.fill),
        series=_series(starts, tracks, spec.fill) if len(tracks) > 1 else UNSET,
    )


async def device_bar(
    spec: WidgetSpec, subjects: Sequence[Subject], window: Window, reader: Reader, max_bars: int
) -> BarAnswer:
    """Return one bar per device, by name; with ``fill=none`` only devices that have a value."""
    found: list[dict[str, Value]] = []
    for subject in subjects:
        rows = await reader.groups(_question(spec, subject, window, "device"))
        found.append({subject.device_of(r.group or 0): subject.present(r.value) for r in rows})
    if spec.fill == "none":
        devices = sorted({device for values in found for device in values})
    else:
        streams = subjects[0].streams(spec.device)
        devices = sorted(subjects[0].device_of(stream) for stream in streams)
    if len(devices) > max_bars:
        raise _too_many("device", f"{len(devices)} devices", max_bars)
    values = [[of.get(device) for device in devices] for of in found]
    several = [Series(s.key.key, None, v) for s, v in zip(subjects, values, strict=True)]
    return BarAnswer(
        title=spec.title,
        unit=subjects[0].unit(spec.unit),
        labels=devices,
        values=values[0],
        series=several if len(several) > 1 else UNSET,
    )


async def label_bar(
    spec: WidgetSpec, subject: Subject, window: Window, reader: Reader, max_bars: int
) -> BarAnswer:
    """Return one bar per value of a text or boolean key: how many readings say it."""
    if subject.key.kind == "number" or subject.agg != "count":
        message = "group_by label counts the values of a text or boolean key; use agg count"
        raise Invalid(f"{message}.", errors=[ItemError(key="group_by", message=message)])
    rows = await reader.groups(_question(spec, subject, window, "value"))
    if len(rows) > max_bars:
        raise _too_many("label", f"{len(rows)} values", max_bars)
    counts = sorted((_label(subject, row), int(row.value or 0)) for row in rows)
    return BarAnswer(
        title=spec.title,
        unit=spec.unit,
        labels=[label for label, _ in counts],
        values=[count for _, count in counts],
    )


def _question(
    spec: WidgetSpec,
    subject: Subject,
    window: Window,
    grouping: Grouping,
    *,
    envelope: bool = False,
) -> Question:
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


async def _track(
    spec: WidgetSpec, subject: Subject, window: Window, reader: Reader, *, envelope: bool = False
) -> Track:
    rows = await reader.groups(_question(spec, subject, window, "time", envelope=envelope))
    by_start = {row.bucket_us: row for row in rows if row.bucket_us is not None}
    values = {start_us: subject.present(row.value) for start_us, row in by_start.items()}
    return Track(subject.key.key, None, values, by_start)


async def _shown(
    spec: WidgetSpec,
    subjects: Sequence[Subject],
    window: Window,
    reader: Reader,
    tracks: list[Track],
) -> list[Track]:
    """Return the tracks of `series`: per device if grouped so, per key if there are several."""
    if spec.group_by != "device":
        return tracks if len(tracks) > 1 else []
    if sum(len(subject.streams(spec.device)) for subject in subjects) > MAX_SERIES:
        raise _too_many("device", "the lines of these devices and keys", MAX_SERIES)
    found = []
    for subject in subjects:
        of: dict[float, dict[int, Value]] = {i: {} for i in subject.streams(spec.device)}
        for row in await reader.groups(_question(spec, subject, window, "device_time")):
            of[row.group or 0][row.bucket_us or 0] = subject.present(row.value)
        named = sorted((subject.device_of(stream), values) for stream, values in of.items())
        found += [Track(subject.key.key, device, values, {}) for device, values in named]
    return found


def _series(starts: Sequence[int], tracks: Sequence[Track], fill: str) -> list[Series]:
    return [Series(t.key, t.device, filled(starts, t.values, fill)) for t in tracks]


def _edge(starts: Sequence[int], track: Track, side: str) -> list[float | None]:
    rows = [track.rows.get(start_us) for start_us in starts]
    return [None if row is None else getattr(row, side) for row in rows]


def _label(subject: Subject, row: Row) -> str:
    value = subject.stored(row.group or 0)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _too_many(field: str, what: str, limit: int) -> Invalid:
    message = f"{what} are more than the {limit} that one answer may show; choose fewer"
    return Invalid(f"{message}.", errors=[ItemError(key=field, message=message)])
