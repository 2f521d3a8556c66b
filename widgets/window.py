"""The stretch of time an answer covers, and its buckets.

Pure. A window that slides with the clock begins and ends on bucket edges: between two edges every
poll asks for the same window. It holds at least what was asked for.
"""

from zoneinfo import ZoneInfo

import msgspec

from twin.errors import Invalid, ItemError
from twin.moments import Span, before, parse_moment, parse_span
from widgets.grid import LADDER, CalendarGrid, FixedGrid, Grid, grid_of, most_buckets, starts
from widgets.spec import NAMED_RANGES, WidgetSpec

DEFAULT_RANGE = "24h"
DEFAULT_POINTS = {"bar": 48}
"""A bar needs some width on the screen; a line gets FALLBACK_POINTS."""
FALLBACK_POINTS = 300


class Extent(msgspec.Struct, frozen=True):
    """Readings of [from_us, end_us), shown in buckets of a grid. Cheap: every poll works it out.

    `to_us` is the end that the answer names; `end_us` is earlier where the answer is as of a moment
    within the window. `grid` tells how SQL can name a row's bucket.
    """

    from_us: int
    to_us: int
    end_us: int
    bucket: Span
    grid: FixedGrid | CalendarGrid

    @property
    def key(self) -> tuple[int, int, int, str]:
        """What tells this extent from others of the same spec."""
        return (self.from_us, self.to_us, self.end_us, self.bucket.text)


class Window(Extent, frozen=True):
    """An extent with the begins of its buckets."""

    starts: tuple[int, ...]


def is_windowed(spec: WidgetSpec) -> bool:
    """Return whether the answer covers a stretch of time, rather than showing the newest value."""
    asked = (spec.agg, spec.range, spec.from_, spec.to)
    return spec.type in ("line", "bar") or any(field is not None for field in asked)


def resolve(
    spec: WidgetSpec, zone: ZoneInfo, now_us: int, at_us: int | None, max_points: int
) -> Extent:
    """Return the extent of a spec at `now_us`; `at_us` stands for now where it is given.

    Raises Invalid for from >= to and for more than `max_points` buckets.
    """
    now_us = now_us if at_us is None else at_us
    if spec.range in NAMED_RANGES:
        from_us, to_us = _named(spec.range, zone, now_us)
    else:
        to_us = None if spec.to is None else _moment("to", spec.to, zone)
        from_us = _from(spec, zone, now_us if to_us is None else to_us)
    if from_us >= (to_us if to_us is not None else now_us + 1):
        field = "from" if spec.from_ is not None else "to"
        raise _invalid(field, "from must lie before to")
    begins_slide = spec.from_ is None and to_us is None and spec.range not in NAMED_RANGES
    slides = (begins_slide, to_us is None)
    span, grid = _bucket(spec, zone, from_us, to_us, now_us, max_points, slides)
    if slides[0]:
        from_us = grid.floor(from_us)
    if to_us is None:
        to_us = grid.after(grid.floor(now_us))
    end_us = to_us if at_us is None else min(to_us, at_us + 1)
    return Extent(from_us, to_us, end_us, span, grid)


def lay_out(extent: Extent) -> Window:
    """Return an extent with its buckets."""
    begins = starts(extent.grid, extent.from_us, extent.to_us)
    return Window(
        extent.from_us, extent.to_us, extent.end_us, extent.bucket, extent.grid, tuple(begins)
    )


def _named(name: str, zone: ZoneInfo, now_us: int) -> tuple[int, int | None]:
    """Return the begin of a named range, and its end if it is over."""
    grid = CalendarGrid(NAMED_RANGES[name], zone)
    from_us = grid.floor(now_us)
    return (grid.floor(from_us - 1), from_us) if name == "yesterday" else (from_us, None)


def _from(spec: WidgetSpec, zone: ZoneInfo, until_us: int) -> int:
    if spec.from_ is not None:
        return _moment("from", spec.from_, zone)
    return before(until_us, parse_span(spec.range or DEFAULT_RANGE), zone)


def _moment(field: str, value: str | float, zone: ZoneInfo) -> int:
    try:
        return parse_moment(str(value), zone)
    except ValueError as exc:  # in a zone other than the one that the spec was judged in
        raise _invalid(field, f"{field} {exc}") from None


def _bucket(
    spec: WidgetSpec,
    zone: ZoneInfo,
    from_us: int,
    to_us: int | None,
    now_us: int,
    max_points: int,
    slides: tuple[bool, bool],
) -> tuple[Span, FixedGrid | CalendarGrid]:
    """Return the asked bucket, or for `auto` the smallest that gives no more than `points`."""
    points = spec.points or DEFAULT_POINTS.get(spec.type, FALLBACK_POINTS)
    auto = spec.bucket == "auto"
    limit = min(points, max_points) if auto else max_points
    for span in LADDER if auto else (parse_span(spec.bucket),):
        grid = grid_of(span, zone, from_us)
        begin_us = grid.floor(from_us) if slides[0] else from_us
        end_us = _end(grid, to_us, now_us)
        if most_buckets(grid, begin_us, end_us) <= limit:
            return span, grid
    if auto:
        return span, grid
    raise _invalid(
        "bucket",
        f"bucket {spec.bucket} gives more than {limit} buckets here; choose a wider one or auto",
    )


def _end(grid: Grid, to_us: int | None, now_us: int) -> int:
    return to_us if to_us is not None else grid.after(grid.floor(now_us))


def _invalid(field: str, problem: str) -> Invalid:
    return Invalid(f"{problem}.", errors=[ItemError(key=field, message=problem)])
