"""A line: one series in the accent's colour with its band, or several with a legend.

A gap in the data is a gap in the line.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from twin.clock import SECOND_US, to_us
from widgets.answers import LineAnswer, Series, Value
from widgets.picture.frame import SMALL, Canvas, document, heading, note
from widgets.picture.plot import (
    Plot,
    axis_of,
    is_named,
    legend,
    plot_of,
    series_colour,
    time_axis,
    value_axis,
)
from widgets.picture.scale import stretch
from widgets.picture.svg import element, number
from widgets.thin import Samples, thin

EMPTY = "No data in this range"

Point = tuple[int, Value]


class Strand(msgspec.Struct, frozen=True):
    """One line: its name, colour, values by the answer's labels."""

    name: str
    colour: str
    values: Sequence[Value]


def draw(answer: LineAnswer, zone: ZoneInfo, canvas: Canvas, *, picked: bool) -> bytes:
    """Return the picture; `picked`: the points are readings, at no fixed distance."""
    from_us, to_us_ = moment(answer.from_), moment(answer.to)
    about = f"{stretch(from_us, to_us_, zone)} · {zone.key}"
    parts, top = heading(canvas, answer.title, about)
    strands = strands_of(answer.series or None, answer.values, canvas)
    if len(strands) > 1:
        rows, top = legend(canvas, [strand.name for strand in strands], top)
        parts += rows
    top += SMALL + 11 if answer.unit else 6
    bands = [e for e in (answer.min, answer.max) if len(strands) == 1 and isinstance(e, list)]
    shown = [v for values in (*(s.values for s in strands), *bands) for v in values]
    axis = axis_of(shown, canvas.height - top - 40)
    plot = plot_of(canvas, top, axis, from_us, to_us_)
    parts += [*value_axis(canvas, plot, answer.unit), *time_axis(canvas, plot, zone)]
    times = [moment(label) for label in answer.labels]
    widest_us = None if picked else answer.bucket_seconds * SECOND_US
    if len(bands) == 2 and not is_named(strands[0].values):
        parts += _band(plot, times, bands, widest_us, strands[0].colour)
    for strand in strands:
        parts += lines(plot, list(zip(times, strand.values, strict=True)), widest_us, strand.colour)
    if all(value is None for value in shown):
        middle = (plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2
        parts.append(note(canvas, EMPTY, *middle))
    return document(canvas, answer.title, parts)


def strands_of(
    series: Sequence[Series] | None, values: Sequence[Value], canvas: Canvas
) -> list[Strand]:
    """Return the series of an answer under the shortest names that tell them apart."""
    if not series:
        return [Strand("", canvas.accent, values)]
    one_key = len({s.key for s in series}) == 1
    found = []
    for i, s in enumerate(series):
        name = s.key if s.device is None else s.device if one_key else f"{s.key} {s.device}"
        colour = canvas.accent if len(series) == 1 else series_colour(canvas, i)
        found.append(Strand(name, colour, s.values))
    return found


def moment(label: str) -> int:
    """Return a label of an answer in µs."""
    return to_us(datetime.fromisoformat(label))


def lines(plot: Plot, points: list[Point], widest_us: int | None, colour: str) -> list[str]:
    """Return the line through points; None, and a longer pause than usual, break it.

    `widest_us`: the width of a bucket.
    """
    named = is_named([value for _, value in points])
    path, dots = [], []
    for run in runs(points, widest_us):
        thinned = run if named else _thinned(run, 2 * int(plot.right - plot.left))
        if len(thinned) == 1:
            (x, y) = _place(plot, thinned[0])
            dots.append(element("circle", cx=x, cy=y, r="2.2", fill=colour))
        else:
            path.append(_steps(plot, thinned) if named else _through(plot, thinned))
    if path:
        shape = {"stroke_width": "1.75", "stroke_linejoin": "round", "stroke_linecap": "round"}
        dots.append(element("path", d="".join(path), fill="none", stroke=colour, **shape))
    return dots


def runs(points: Sequence[Point], widest_us: int | None) -> Iterator[list[Point]]:
    """Yield the points that are joined to one another.

    Where readings come less often than buckets, what is usual is their own distance.
    """
    present = [i for i, (_, value) in enumerate(points) if value is not None]
    limit_us = float("inf")
    if widest_us is not None and len(present) > 1:
        usual_us = median(points[b][0] - points[a][0] for a, b in pairwise(present))
        limit_us = 1.5 * widest_us if usual_us <= 1.5 * widest_us else 2.5 * usual_us
    run: list[Point] = []
    for i in present:
        joined = run and points[i - 1][1] is not None and points[i][0] - run[-1][0] <= limit_us
        if run and not joined:
            yield run
            run = []
        run.append(points[i])
    if run:
        yield run


def _band(
    plot: Plot,
    times: Sequence[int],
    edges: Sequence[Sequence[float | None]],
    widest_us: int | None,
    colour: str,
) -> list[str]:
    low, high = (dict(zip(times, edge, strict=True)) for edge in edges)
    shapes = []
    for run in runs(list(zip(times, edges[0], strict=True)), widest_us):
        upper = [(us, high[us]) for us, _ in run]
        lower = [(us, low[us]) for us, _ in reversed(run)]
        shapes.append(_through(plot, [*upper, *lower]) + "Z")
    return [element("path", d="".join(shapes), fill=colour, opacity="0.16")] if shapes else []


def _thinned(run: list[Point], most: int) -> list[Point]:
    if len(run) <= most:
        return run
    ts_us = np.array([us for us, _ in run], dtype=np.int64)
    values = np.array([value for _, value in run], dtype=np.float64)
    found = thin(Samples(ts_us, values), "minmax", most)
    return list(zip(found.ts_us.tolist(), found.values.tolist(), strict=True))


def _place(plot: Plot, point: Point) -> tuple[float, float]:
    return plot.x(point[0]), plot.y(point[1])


def _through(plot: Plot, points: Sequence[Point]) -> str:
    places = (_place(plot, point) for point in points)
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in places)


def _steps(plot: Plot, points: Sequence[Point]) -> str:
    (x, y), *rest = (_place(plot, point) for point in points)
    return f"M{number(x)} {number(y)}" + "".join(f"H{number(a)}V{number(b)}" for a, b in rest)
