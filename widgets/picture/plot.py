"""The area that series are drawn in: from times and values to pixels, axes, legend.

Values are numbers, or texts and booleans, of which each has a height of its own.
"""

from collections.abc import Sequence
from typing import TypeGuard
from zoneinfo import ZoneInfo

import msgspec

from widgets.answers import Value
from widgets.picture.frame import PAD, SMALL, Canvas
from widgets.picture.scale import time_ticks, value_ticks
from widgets.picture.svg import element, fitted, number, text, width_of

ROW = 34.0
"""Least distance of two values on the axis, in pixels."""
COLUMN = 74.0
"""Least distance of two times."""
AXIS_SHARE = 0.3
"""Most of the width that the values' names take."""
MAX_NAMES = 40
"""Most different texts that get a height of their own; later ones share the last."""


class Axis(msgspec.Struct, frozen=True):
    """The values' axis: what stands at which height, from 0 at the bottom to 1."""

    heights: list[float]
    labels: list[str]
    low: float = 0.0
    high: float = 1.0
    names: dict[str, int] | None = None

    def height(self, value: Value) -> float:
        """Return how high a value stands."""
        if self.names is not None:
            place = self.names.get(name_of(value), MAX_NAMES - 1)
            return (place + 0.5) / len(self.names)
        return (float(value or 0) - self.low) / (self.high - self.low)


class Plot(msgspec.Struct, frozen=True):
    """An area in pixels, the stretch of time it covers, and its axis of values."""

    left: float
    top: float
    right: float
    bottom: float
    from_us: int
    to_us: int
    axis: Axis

    def x(self, moment_us: float) -> float:
        """Return where a moment is."""
        share = (moment_us - self.from_us) / max(self.to_us - self.from_us, 1)
        return self.left + share * (self.right - self.left)

    def y(self, value: Value) -> float:
        """Return where a value is."""
        return self.bottom - self.axis.height(value) * (self.bottom - self.top)


def name_of(value: Value) -> str:
    """Return a text or boolean as it is written."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_named(values: Sequence[Value]) -> bool:
    """Return whether values are texts or booleans."""
    return any(isinstance(value, str | bool) for value in values)


def is_number(value: Value) -> TypeGuard[float]:
    """Return whether a value has a size."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def axis_of(values: Sequence[Value], height: float, *, zero: bool = False) -> Axis:
    """Return the axis that holds values (None among them is nothing); `zero`: zero too."""
    present = [value for value in values if value is not None]
    most = max(int(height // ROW), 2)
    if is_named(present):
        known = sorted({name_of(value) for value in present})[:MAX_NAMES]
        names = {name: i for i, name in enumerate(known)}
        every = -(-len(known) * 16 // max(int(height), 16))
        shown = range(0, len(known), every)
        heights = [(i + 0.5) / len(known) for i in shown]
        return Axis(heights, [known[i] for i in shown], names=names)
    if not present:
        return Axis([], [])
    numbers = [float(value) for value in present if not isinstance(value, str)]
    low, high = min(numbers), max(numbers)
    ticks = value_ticks(min(low, 0.0) if zero else low, max(high, 0.0) if zero else high, most)
    low, high = ticks.values[0], ticks.values[-1]
    heights = [i / (len(ticks.values) - 1) for i in range(len(ticks.values))]
    return Axis(heights, ticks.labels, low, high)


def plot_of(canvas: Canvas, top: float, axis: Axis, from_us: int, to_us: int) -> Plot:
    """Return the area below `top` that leaves room for the labels."""
    widest = max((width_of(label, SMALL) for label in axis.labels), default=0.0)
    left = PAD + min(max(widest, 14.0), canvas.width * AXIS_SHARE) + 8
    bottom = canvas.height - PAD - SMALL - 4
    return Plot(left, top, canvas.width - PAD, bottom, from_us, to_us, axis)


def value_axis(canvas: Canvas, plot: Plot, unit: str | None) -> list[str]:
    """Return the lines and labels of values; the unit stands above them."""
    theme, parts = canvas.theme, []
    most = plot.left - PAD - 6
    for share, label in zip(plot.axis.heights, plot.axis.labels, strict=True):
        y = plot.bottom - share * (plot.bottom - plot.top)
        parts.append(_rule(plot, y, theme.grid))
        shown = fitted(label, SMALL, most)
        parts.append(text(shown, plot.left - 8, y + 4, SMALL, theme.muted, text_anchor="end"))
    if unit:
        shown = fitted(unit, SMALL, canvas.width / 2)
        parts.append(text(shown, PAD, plot.top - 12, SMALL, theme.muted, font_weight="600"))
    parts.append(_rule(plot, plot.bottom, theme.axis))
    return parts


def time_axis(canvas: Canvas, plot: Plot, zone: ZoneInfo) -> list[str]:
    """Return the ticks of time below the area."""
    theme, parts, free = canvas.theme, [], 0.0
    most = max(int((plot.right - plot.left) // COLUMN), 1)
    for moment_us, label in time_ticks(plot.from_us, plot.to_us, zone, most):
        x, half = plot.x(moment_us), width_of(label, SMALL) / 2
        parts.append(_tick(plot, x, theme.axis))
        if x - half < free or x + half > canvas.width - 2:
            continue
        free = x + half + 8
        y = plot.bottom + SMALL + 7
        parts.append(text(label, x, y, SMALL, theme.muted, text_anchor="middle"))
    return parts


def legend(canvas: Canvas, names: Sequence[str], top: float) -> tuple[list[str], float]:
    """Return up to two rows of names with their colours, and the y below them."""
    parts, x, y, right = [], PAD, top + SMALL, canvas.width - PAD
    for i, name in enumerate(names):
        shown = fitted(name or "(no device)", SMALL, (right - PAD) / 2)
        width = width_of(shown, SMALL) + 30
        if x + width > right and x > PAD:
            x, y = PAD, y + SMALL + 7
        left_over = len(names) - i
        last_row = y > top + SMALL + 1
        if y > top + 2 * SMALL + 8 or (last_row and x + width + 60 > right and left_over > 1):
            parts.append(
                text(
                    f"+ {left_over} more", x, min(y, top + 2 * SMALL + 7), SMALL, canvas.theme.muted
                )
            )
            break
        colour = series_colour(canvas, i)
        parts.append(element("rect", x=x, y=y - 7, width="14", height="4", rx="2", fill=colour))
        parts.append(text(shown, x + 19, y, SMALL, canvas.theme.ink))
        x += width
    return parts, min(y, top + 2 * SMALL + 7) + 8


def series_colour(canvas: Canvas, index: int) -> str:
    """Return the colour of one of several series."""
    return canvas.theme.series[index % len(canvas.theme.series)]


def _rule(plot: Plot, y: float, colour: str) -> str:
    return element(
        "path", d=f"M{number(plot.left)} {number(y)}H{number(plot.right)}", stroke=colour
    )


def _tick(plot: Plot, x: float, colour: str) -> str:
    return element("path", d=f"M{number(x)} {number(plot.bottom)}v4", stroke=colour)
