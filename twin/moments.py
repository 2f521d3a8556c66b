"""Text that stands for time: moments (`2026-11-20T12:00:00Z`) and spans (`15m`, `1d`, `1mo`).

Pure. Days, weeks and months are calendar spans: their length depends on the time zone and the date.
"""

import re
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from twin.clock import SECOND_US, to_datetime, to_us

MINUTE_US = 60 * SECOND_US
HOUR_US = 3600 * SECOND_US
NOMINAL_US = {
    "s": SECOND_US,
    "m": MINUTE_US,
    "h": HOUR_US,
    "d": 24 * HOUR_US,
    "w": 168 * HOUR_US,
    "mo": 720 * HOUR_US,
}
"""A unit's length; of a month, 30 days."""
MAX_SPAN_US = 100 * 366 * 24 * HOUR_US
"""The longest span: a century, so that adding one to a moment stays within the calendar."""
MIN_US = 0
"""Readings before 1970 are rejected, so no window needs to begin earlier."""
MAX_US = to_us(datetime(2200, 1, 1, tzinfo=UTC))

_SPAN = re.compile(r"([1-9]\d{0,8})(mo|[smhdwy])")
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Span(msgspec.Struct, frozen=True):
    """A number of units: 15 m, 1 mo."""

    count: int
    unit: str

    @property
    def nominal_us(self) -> int:
        """The length, with days of 24 hours and months of 30 days."""
        return self.count * NOMINAL_US[self.unit]

    @property
    def text(self) -> str:
        """The span as it is written: ``15m``."""
        return f"{self.count}{self.unit}"


def parse_span(text: str) -> Span:
    """Return the span that a text like ``10s``, ``24h``, ``7d`` or ``1mo`` stands for.

    A year, ``1y``, is twelve months. Raises ValueError.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError("must be a number and one of s, m, h, d, w, mo, y, like '15m' or '24h'")
    count, unit = int(match[1]), match[2]
    span = Span(count * 12, "mo") if unit == "y" else Span(count, unit)
    if span.nominal_us > MAX_SPAN_US:
        raise ValueError("must not be longer than a century")
    return span


def parse_moment(text: str, zone: ZoneInfo) -> int:
    """Return a moment in microseconds since the epoch.

    Accepts RFC 3339 text, text without an offset (then in `zone`), a date (its local midnight), or
    a number whose unit is told by its size: below 1e11 s, 1e14 ms, 1e17 µs, else ns. A `+` that a
    query string turned into a space is mended. The local begins of 1970 and 2200 lie within the
    bounds, wherever that is. Raises ValueError.
    """
    text = text.strip()
    moment_us = _number(text) if _NUMBER.fullmatch(text) else _iso(text, zone)
    if not MIN_US <= moment_us <= MAX_US:
        raise ValueError("must lie between 1970 and 2200")
    return moment_us


def before(moment_us: int, span: Span, zone: ZoneInfo) -> int:
    """Return the moment a span earlier; days and longer are counted on the local calendar."""
    if span.unit in ("s", "m", "h"):
        return max(moment_us - span.nominal_us, MIN_US)
    local = to_datetime(moment_us).astimezone(zone)
    if span.unit == "mo":
        month = local.year * 12 + local.month - 1 - span.count
        year, index = divmod(month, 12)
        if year < 1970:
            return MIN_US
        day = min(local.day, _days_of_month(year, index + 1))
        return max(to_us(local.replace(year=year, month=index + 1, day=day)), MIN_US)
    days = span.count * (7 if span.unit == "w" else 1)
    if moment_us - days * NOMINAL_US["d"] < NOMINAL_US["w"]:
        return MIN_US
    return to_us(local - timedelta(days=days))


def _number(text: str) -> int:
    value = float(text) if "." in text else int(text)
    if abs(value) > sys.float_info.max:
        raise ValueError("must lie between 1970 and 2200")
    size = abs(value)
    if size < 1e11:
        return round(value * SECOND_US)
    if size < 1e14:
        return round(value * 1000)
    return round(value) if size < 1e17 else int(value) // 1000


def _iso(text: str, zone: ZoneInfo) -> int:
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub(r"+\1", text) if "T" in text else text)
        if moment.tzinfo is not None:
            return to_us(moment)
        local_us, bound_us = to_us(moment.replace(tzinfo=UTC)), to_us(moment.replace(tzinfo=zone))
        return min(max(bound_us, MIN_US), MAX_US) if MIN_US <= local_us <= MAX_US else local_us
    except (ValueError, OverflowError):
        raise ValueError(
            "must be a time like '2026-11-20T12:00:00Z', a date or a Unix time"
        ) from None


def _days_of_month(year: int, month: int) -> int:
    first = datetime(year, month, 1)
    following = datetime(year + month // 12, month % 12 + 1, 1)
    return (following - first).days
