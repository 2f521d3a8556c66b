"""Grids: where buckets begin and end.

Pure. Buckets up to an hour have one fixed width everywhere. Longer ones follow the local clock and
calendar: a 6 h bucket begins at 0, 6, 12 or 18 o'clock, a day may have 23 or 25 hours, weeks begin
on Monday. Invariant: ``floor(t) <= t < after(floor(t))``.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from twin.clock import DAY_US, SECOND_US, to_datetime, to_us
from twin.moments import HOUR_US, Span, parse_span

_WIDTHS = (
    *("1s", "5s", "10s", "15s", "30s"),
    *("1m", "2m", "5m", "10m", "15m", "30m"),
    *("1h", "2h", "3h", "6h", "12h"),
    *("1d", "2d", "1w", "1mo", "3mo", "12mo", "120mo"),
)
LADDER = tuple(parse_span(text) for text in _WIDTHS)
"""The widths `auto` chooses from."""

_UTC_NAMES = ("UTC", "Etc/UTC", "GMT", "Etc/GMT")
_FIRST_MONDAY = datetime(1970, 1, 5)


class Grid(Protocol):
    """A division of time into buckets."""

    def floor(self, moment_us: int) -> int:
        """Return the begin of the bucket that holds a moment."""

    def after(self, start_us: int) -> int:
        """Return the begin of the bucket that follows the one beginning at `start_us`."""

    def index(self, moment_us: int) -> int:
        """Return the number of the bucket that holds a moment, counted along the calendar."""


class FixedGrid:
    """Buckets of one width, one of which begins at `origin_us`."""

    def __init__(self, width_us: int, origin_us: int = 0) -> None:
        """Divide time from an origin."""
        self.width_us = width_us
        self.origin_us = origin_us

    def floor(self, moment_us: int) -> int:
        """Return the begin of the bucket that holds a moment."""
        return moment_us - (moment_us - self.origin_us) % self.width_us

    def after(self, start_us: int) -> int:
        """Return the begin of the following bucket."""
        return start_us + self.width_us

    def index(self, moment_us: int) -> int:
        """Return the number of the bucket that holds a moment."""
        return (moment_us - self.origin_us) // self.width_us


class CalendarGrid:
    """Buckets that begin at round local times."""

    def __init__(self, span: Span, zone: ZoneInfo) -> None:
        """Divide the clock and calendar of a zone."""
        self.span = span
        self.zone = zone

    def floor(self, moment_us: int) -> int:
        """Return the begin of the bucket that holds a moment."""
        wall = self._wall_floor(self._wall(moment_us))
        start_us = self._utc(wall)
        while start_us > moment_us:  # the begin fell into the hours a clock change left out
            wall = self._wall_floor(wall - timedelta(microseconds=1))
            start_us = self._utc(wall)
        return start_us

    def after(self, start_us: int) -> int:
        """Return the begin of the following bucket."""
        wall = self._wall_floor(self._wall(start_us))
        following_us = start_us
        while following_us <= start_us:
            wall = self._wall_next(wall)
            following_us = self._utc(wall)
        return following_us

    def index(self, moment_us: int) -> int:
        """Return the number of the bucket that holds a moment, counting those a change left out."""
        wall = self._wall(moment_us)
        if self.span.unit == "mo":
            return _months(wall) // self.span.count
        return (wall - _FIRST_MONDAY) // timedelta(microseconds=self.span.nominal_us)

    def _wall(self, moment_us: int) -> datetime:
        return to_datetime(moment_us).astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _utc(self, wall: datetime) -> int:
        # fold=0: of a time that comes twice the first; of one left out, the moment of the change.
        return to_us(wall.replace(tzinfo=self.zone))

    def _wall_floor(self, wall: datetime) -> datetime:
        count, unit = self.span.count, self.span.unit
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        if unit == "mo":
            return _month_begin(_months(wall) // count * count)
        if unit in ("d", "w"):
            days = count * (7 if unit == "w" else 1)
            return midnight - timedelta(days=(midnight - _FIRST_MONDAY).days % days)
        into_day = (wall - midnight) // timedelta(microseconds=1)
        return wall - timedelta(microseconds=into_day % self.span.nominal_us)

    def _wall_next(self, start: datetime) -> datetime:
        if self.span.unit == "mo":
            return _month_begin(_months(start) + self.span.count)
        return start + timedelta(microseconds=self.span.nominal_us)


def _months(wall: datetime) -> int:
    return (wall.year - 1970) * 12 + wall.month - 1


def _month_begin(months: int) -> datetime:
    return datetime(1970 + months // 12, months % 12 + 1, 1)


def grid_of(span: Span, zone: ZoneInfo, near_us: int) -> FixedGrid | CalendarGrid:
    """Return the grid of a bucket width in a zone.

    `near_us`: a moment of the window, whose offset decides how the quarter hours of zones like
    Asia/Kolkata shift fixed buckets.
    """
    width_us = span.nominal_us
    if span.unit in ("d", "w", "mo"):
        # A UTC day is a fixed width, but counted like everywhere: 2d and 1w from a Monday on.
        return CalendarGrid(span, zone)
    if zone.key in _UTC_NAMES or width_us % SECOND_US:
        return FixedGrid(width_us)
    if width_us > HOUR_US and DAY_US % width_us == 0:
        return CalendarGrid(span, zone)
    offset = to_datetime(near_us).astimezone(zone).utcoffset() or timedelta()
    return FixedGrid(width_us, -(offset // timedelta(microseconds=1)) % width_us)


def starts(grid: FixedGrid | CalendarGrid, from_us: int, end_us: int) -> list[int]:
    """Return the begins of the buckets that meet [from, end). Bounded by whoever chose the grid."""
    if isinstance(grid, FixedGrid):
        return list(range(grid.floor(from_us), end_us, grid.width_us))
    return list(_following(grid.span, grid.zone, grid.floor(from_us), end_us))


@lru_cache(maxsize=500)  # a year of days takes some milliseconds, and all its widgets share it
def _following(span: Span, zone: ZoneInfo, start_us: int, end_us: int) -> tuple[int, ...]:
    grid = CalendarGrid(span, zone)
    found: list[int] = []
    while start_us < end_us:
        found.append(start_us)
        start_us = grid.after(start_us)
    return tuple(found)


def most_buckets(grid: Grid, from_us: int, end_us: int) -> int:
    """Return how many buckets meet [from, end): at most that many, at no cost per bucket."""
    return grid.index(end_us - 1) - grid.index(from_us) + 1
