"""Bars of something else than time: one per device, or one per value of a text or boolean key."""

from collections.abc import Sequence

from msgspec import UNSET

from twin.errors import Invalid, ItemError
from widgets.answers import BarAnswer, Series, Value
from widgets.run import Reader
from widgets.spec import WidgetSpec
from widgets.subject import Subject
from widgets.tracks import question_of, too_many
from widgets.window import Window


async def device_bar(
    spec: WidgetSpec, subjects: Sequence[Subject], window: Window, reader: Reader, max_bars: int
) -> BarAnswer:
    """Return one bar per device, by name; with ``fill=none`` only devices that have a value."""
    found: list[dict[str, Value]] = []
    for subject in subjects:
        rows = await reader.groups(question_of(spec, subject, window, "device"))
        devices_of = map(subject.device_of, rows.group)
        found.append(dict(zip(devices_of, subject.presented(rows.value), strict=True)))
    if spec.fill == "none":
        devices = sorted({device for values in found for device in values})
    else:
        streams = subjects[0].streams(spec.device)
        devices = sorted(subjects[0].device_of(stream) for stream in streams)
    if len(devices) > max_bars:
        raise too_many("device", f"{len(devices)} devices", max_bars)
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
    rows = await reader.groups(question_of(spec, subject, window, "value"))
    if len(rows) > max_bars:
        raise too_many("label", f"{len(rows)} values", max_bars)
    pairs = zip(rows.group, rows.value, strict=True)
    counts = sorted((_label(subject, value), int(count or 0)) for value, count in pairs)
    return BarAnswer(
        title=spec.title,
        unit=spec.unit,
        labels=[label for label, _ in counts],
        values=[count for _, count in counts],
    )


def _label(subject: Subject, stored: float) -> str:
    value = subject.stored(stored)
    return str(value).lower() if isinstance(value, bool) else str(value)
