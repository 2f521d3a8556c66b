"""Answers along time: a line, and one bar per bucket."""

from collections.abc import Sequence

from msgspec import UNSET

from twin.clock import to_rfc3339
from widgets.answers import BarAnswer, LineAnswer, Series, Value
from widgets.fill import filled, labels_of
from widgets.run import Reader
from widgets.spec import WidgetSpec
from widgets.subject import Subject
from widgets.tracks import MAX_SERIES, Track, by_device, picked, pooled, too_many
from widgets.window import FALLBACK_POINTS, Window


async def line(
    spec: WidgetSpec, subjects: Sequence[Subject], window: Window, reader: Reader, max_points: int
) -> LineAnswer:
    """Return the line of a spec, of no more than `max_points` labels."""
    envelope = subjects[0].agg == "avg" and spec.downsample == "bucket"
    if spec.group_by == "device":
        lines = sum(len(subject.streams(spec.device)) for subject in subjects)
        if lines > MAX_SERIES:
            raise too_many("device", "the lines of these devices and keys", MAX_SERIES)
    if spec.downsample == "bucket":
        tracks, shown = await _aggregated(spec, subjects, window, reader, envelope=envelope)
        starts: Sequence[int] = window.starts
    else:
        tracks, shown = await _picked(spec, subjects, window, reader, max_points)
        starts = sorted({ts_us for track in (*tracks, *shown) for ts_us in track.values})
    starts = labels_of(starts, [t.values for t in (*tracks, *shown)], spec.fill)
    low, high = tracks[0].envelope(starts) if envelope else (UNSET, UNSET)
    return LineAnswer(
        title=spec.title,
        unit=subjects[0].unit(spec.unit),
        from_=to_rfc3339(window.from_us),
        to=to_rfc3339(window.to_us),
        bucket_seconds=window.bucket.nominal_us // 1_000_000,
        labels=[to_rfc3339(start_us) for start_us in starts],
        values=_filled(starts, tracks[0], spec.fill),
        min=low,
        max=high,
        series=_series(starts, shown, spec.fill) if shown else UNSET,
    )


async def time_bar(
    spec: WidgetSpec, subjects: Sequence[Subject], window: Window, reader: Reader
) -> BarAnswer:
    """Return one bar per bucket."""
    tracks = [await pooled(spec, subject, window, reader) for subject in subjects]
    starts = labels_of(window.starts, [track.values for track in tracks], spec.fill)
    return BarAnswer(
        title=spec.title,
        unit=subjects[0].unit(spec.unit),
        labels=[to_rfc3339(start_us) for start_us in starts],
        values=_filled(starts, tracks[0], spec.fill),
        series=_series(starts, tracks, spec.fill) if len(tracks) > 1 else UNSET,
    )


async def _aggregated(
    spec: WidgetSpec,
    subjects: Sequence[Subject],
    window: Window,
    reader: Reader,
    *,
    envelope: bool,
) -> tuple[list[Track], list[Track]]:
    """Return the tracks of `values` (the first counts) and of `series`."""
    if spec.group_by == "device":
        first = await pooled(spec, subjects[0], window, reader, envelope=envelope)
        found = [await by_device(spec, subject, window, reader) for subject in subjects]
        return [first], [track for tracks in found for track in tracks]
    tracks = [await pooled(spec, s, window, reader, envelope=envelope) for s in subjects]
    return tracks, tracks if len(tracks) > 1 else []


async def _picked(
    spec: WidgetSpec, subjects: Sequence[Subject], window: Window, reader: Reader, max_points: int
) -> tuple[list[Track], list[Track]]:
    """Return the same of readings; the lines share the bound, for their labels add up."""
    each_device = spec.group_by == "device"
    lines = len(subjects)
    if each_device:
        lines = 1 + sum(len(subject.streams(spec.device)) for subject in subjects)
    points = min(spec.points or FALLBACK_POINTS, max_points // lines)
    if each_device:
        first = await picked(spec, subjects[0], window, reader, points)
        found = [
            await picked(spec, subject, window, reader, points, each_device=True)
            for subject in subjects
        ]
        return first, [track for tracks in found for track in tracks]
    tracks = [(await picked(spec, s, window, reader, points))[0] for s in subjects]
    return tracks, tracks if len(tracks) > 1 else []


def _series(starts: Sequence[int], tracks: Sequence[Track], fill: str) -> list[Series]:
    return [Series(t.key, t.device, _filled(starts, t, fill)) for t in tracks]


def _filled(starts: Sequence[int], track: Track, fill: str) -> list[Value]:
    return filled(starts, track.values, fill, track.before)
