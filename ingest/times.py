"""Times in readings → microseconds since the epoch, UTC. Pure.

A number's unit is told by its size unless a precision is given; text is RFC 3339 (ISO 8601), in the
datasource's zone where it has no offset.
"""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from twin.batch import Int64s
from twin.clock import DAY_US, to_us

MAX_AHEAD_US = DAY_US
"""A reading may lie this far ahead of the clock: devices' clocks and time zones are wrong at times."""

PRECISIONS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1}
"""Nanoseconds per unit."""

_S_BELOW, _MS_BELOW, _US_BELOW = 10**11, 10**14, 10**17


class BadTime(ValueError):
    """A time that cannot be read; the message says why."""


def number_to_us(value: float, ns_per_unit: int | None) -> int:
    """Return a numeric time as µs. Raises BadTime for what is not finite."""
    if value != value or value in (float("inf"), float("-inf")):
        raise BadTime("the time must be a finite number")
    unit = ns_per_unit or _unit_by_size(value)
    if isinstance(value, int):
        return value * unit // 1000
    try:
        return round(value * unit / 1000)
    except OverflowError as exc:  # finite, but not as nanoseconds
        raise BadTime("the time is out of range") from exc


def text_to_us(text: str, zone: ZoneInfo) -> int:
    """Return a time given as text as µs. Raises BadTime."""
    text = text.strip()
    try:
        leap = text[17:19] == "60"  # RFC 3339 allows second 60; it is the next minute's first
        moment = datetime.fromisoformat((text[:17] + "59" + text[19:] if leap else text).upper())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return to_us(moment + timedelta(seconds=1) if leap else moment)
    except (ValueError, OverflowError) as exc:
        shown = text[:40]
        raise BadTime(
            f"'{shown}' is not a time: use RFC 3339 such as 2026-11-20T12:00:00Z"
        ) from exc


def check_range(ts_us: int, now_us: int) -> str | None:
    """Return why a time is out of range, or None."""
    if ts_us < 0:
        return "the time is before 1970"
    if ts_us > now_us + MAX_AHEAD_US:
        return "the time is more than a day ahead of the server's clock"
    return None


def numbers_to_us(values: list[int], ns_per_unit: int | None) -> Int64s | None:
    """Return integer times as µs int64[n], or None when they do not share one unit."""
    try:
        array = np.array(values, dtype=np.int64)
    except OverflowError:
        return None
    low, high = int(array.min()), int(array.max())
    unit = ns_per_unit or _unit_by_size(high)
    # Before 1970, out of int64, or of mixed units: one by one, with an error for each.
    if low < 0 or high > 2**62 // unit or (not ns_per_unit and _unit_by_size(low) != unit):
        return None
    return array * (unit // 1000) if unit >= 1000 else array // 1000


def texts_to_us(texts: list[str]) -> Int64s | None:
    """Return times of one fixed UTC layout as µs int64[n], or None when they are not of one.

    The layouts are 2026-11-20T12:00:00Z and the same with 3 or 6 digits of fraction.
    """
    width = len(texts[0])
    if width not in (20, 24, 27):
        return None
    joined = "".join(texts)
    if len(joined) != width * len(texts) or not joined.isascii():
        return None
    chars = np.frombuffer(joined.encode(), dtype=np.uint8).reshape(len(texts), width)
    if not _has_layout(chars, width):
        return None
    digits = chars.astype(np.int64) - ord("0")
    days = np.frombuffer(np.ascontiguousarray(chars[:, :10]).tobytes(), dtype="S10")
    try:
        day_us = days.astype("M8[D]").astype(np.int64) * DAY_US
    except ValueError:
        return None  # 2026-02-30
    hour, minute, second = (digits[:, i] * 10 + digits[:, i + 1] for i in (11, 14, 17))
    if hour.max() > 23 or minute.max() > 59 or second.max() > 59:
        return None
    result: Int64s = day_us + ((hour * 60 + minute) * 60 + second) * 1_000_000
    if width > 20:
        places = width - 21
        scale = 10 ** np.arange(5, 5 - places, -1, dtype=np.int64)
        result = result + digits[:, 20 : 20 + places] @ scale
    return result


_MARKS = {4: "-", 7: "-", 10: "T", 13: ":", 16: ":"}


def _has_layout(chars: np.ndarray[tuple[int, int], np.dtype[np.uint8]], width: int) -> bool:
    marks = {**_MARKS, width - 1: "Z", **({19: "."} if width > 20 else {})}
    is_digit = (chars >= ord("0")) & (chars <= ord("9"))
    return all(
        bool((chars[:, i] == ord(marks[i])).all() if i in marks else is_digit[:, i].all())
        for i in range(width)
    )


def _unit_by_size(value: float) -> int:
    size = abs(value)
    if size < _S_BELOW:
        return PRECISIONS["s"]
    if size < _MS_BELOW:
        return PRECISIONS["ms"]
    return PRECISIONS["us"] if size < _US_BELOW else PRECISIONS["ns"]
