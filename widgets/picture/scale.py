"""Axes: round ticks for values, local times for time, and how both are written.

Pure. Steps of values are 1, 2, 2.5 or 5 times a power of ten; ticks of time lie on the clock and
calendar of the widget's zone.
"""

import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from twin.clock import DAY_US, to_datetime
from twin.moments import HOUR_US, MINUTE_US, parse_span
from widgets.grid import grid_of, most_buckets

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_TIME_STEPS = tuple(
    parse_span(step)
    for step in (
        *("1s", "2s", "5s", "10s", "15s", "30s", "1m", "2m", "5m", "10m", "15m", "30m"),
        *("1h", "2h", "3h", "6h", "12h", "1d", "2d", "1w", "2w"),
        *("1mo", "3mo", "6mo", "12mo", "24mo", "60mo", "120mo", "240mo"),
    )
)
_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_SPACE = "\u202f"
"""Between thousands: narrow, and no line breaks at it."""
TINY = 1e-200
"""What is smaller is drawn as zero: steps of it could not be told apart."""
MAX_PLACES = 8
"""Most decimals: what is smaller is written with an exponent."""


class Ticks(msgspec.Struct, frozen=True):
    """Round values and how they are written; the first and last are the ends of the axis."""

    values: list[float]
    labels: list[str]


def value_ticks(low: float, high: float, most: int) -> Ticks:
    """Return at most about `most` round ticks that hold [low, high]."""
    low, high = _opened(low, high)
    raw = (high / most) - (low / most)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in _STEPS if power * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    values = [i * step for i in range(first, last + 1)]
    return Ticks(values, [_written(value, step) for value in values])


def time_ticks(from_us: int, to_us: int, zone: ZoneInfo, most: int) -> list[tuple[int, str]]:
    """Return at most about `most` moments of [from, to) and how they are written, in a zone."""
    span = _TIME_STEPS[-1]
    for span in _TIME_STEPS:
        grid = grid_of(span, zone, from_us)
        if most_buckets(grid, from_us, to_us) <= most + 1:
            break
    found = []
    moment_us = grid.floor(from_us)
    while moment_us < to_us:
        if moment_us >= from_us:
            found.append((moment_us, moment_text(moment_us, span.nominal_us, zone)))
        moment_us = grid.after(moment_us)
    return found


def moment_text(moment_us: int, step_us: int, zone: ZoneInfo) -> str:
    """Return a moment as a tick says it; midnight and a month's or year's begin by date."""
    local = to_datetime(moment_us).astimezone(zone)
    if step_us >= 360 * DAY_US:
        return str(local.year)
    if step_us >= 28 * DAY_US:
        return f"{local:%b} {local.year}" if local.month == 1 else f"{local:%b}"
    if step_us >= 20 * HOUR_US or (local.hour, local.minute, local.second) == (0, 0, 0):
        return f"{local.day} {local:%b}"
    return f"{local:%H:%M}" if step_us >= MINUTE_US else f"{local:%H:%M:%S}"


def stamp(moment_us: int, zone: ZoneInfo) -> str:
    """Return a moment in full: ``21 Nov 2026, 12:05``, with seconds where it has some."""
    local = to_datetime(moment_us).astimezone(zone)
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{local.day} {local:%b} {local.year}, {clock}"


def stretch(from_us: int, to_us: int, zone: ZoneInfo) -> str:
    """Return a stretch of time in words, the date once where it is one day."""
    begin, end = (to_datetime(us).astimezone(zone) for us in (from_us, to_us))
    if begin.date() == end.date():
        return f"{stamp(from_us, zone)} – {stamp(to_us, zone).rpartition(', ')[2]}"
    return f"{stamp(from_us, zone)} – {stamp(to_us, zone)}"


def value_text(value: float, near: Sequence[float] = ()) -> str:
    """Return a value for reading: four digits that count, or as many as `near` values need."""
    size = max((abs(v) for v in (value, *near)), default=0.0)
    if value == 0 or size == 0:
        return "0"
    text = _written(value, 10.0 ** (math.floor(math.log10(size)) - 3))
    return text.rstrip("0").rstrip(".") if "." in text and text[-1].isdigit() else text


def _opened(low: float, high: float) -> tuple[float, float]:
    """Return ends that differ, and that begin at zero where the values begin near it."""
    if max(abs(low), abs(high)) < TINY:
        return -1.0, 1.0
    if 0 < low <= 0.35 * high:
        low = 0.0
    elif 0.35 * low <= high < 0:
        high = 0.0
    if high / 2 - low / 2 > max(abs(low), abs(high)) * 1e-9:
        return low, high
    pad = max(abs(low), abs(high)) * 0.05
    return low - pad, high + pad


def _written(value: float, step: float) -> str:
    size = abs(value)
    if size < step * 1e-6:
        return "0"
    sign = "−" if value < 0 else ""
    if size >= 1e15 or (size < 1e-4 and step < 1e-4):
        mantissa, _, exponent = f"{size:.3g}".partition("e")
        return f"{sign}{mantissa}e{int(exponent)}" if exponent else f"{sign}{mantissa}"
    for unit, suffix in _SUFFIXES:
        if size >= max(unit, 1e5):
            return f"{sign}{_decimals(size / unit, step / unit)}{suffix}"
    return sign + _decimals(size, step)


def _is_whole(number: float) -> bool:
    return round(number) > 0 and abs(number - round(number)) < 1e-6 * number


def _decimals(size: float, step: float) -> str:
    places = 0
    while places < MAX_PLACES and not _is_whole(step * 10**places):
        places += 1
    return f"{size:,.{places}f}".replace(",", _SPACE)
