"""Bars: columns along time, or rows by device or text, whose names are often long."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

from twin.clock import DAY_US
from widgets.answers import BarAnswer, Value
from widgets.picture.frame import PAD, SMALL, Canvas, document, heading, note
from widgets.picture.line import EMPTY, Strand, lines, moment, strands_of
from widgets.picture.plot import (
    AXIS_SHARE,
    Plot,
    axis_of,
    is_named,
    is_number,
    legend,
    name_of,
    plot_of,
    time_axis,
    value_axis,
)
from widgets.picture.scale import moment_text, stretch, value_text
from widgets.picture.svg import element, fitted, text, width_of

THICKEST = 26.0
"""Of a row, in pixels."""
THINNEST = 15.0
FULL = 0.78
"""Of the room between two bars, what they fill."""


def draw_columns(answer: BarAnswer, zone: ZoneInfo, canvas: Canvas, width_us: int | None) -> bytes:
    """Return bars along time; `width_us`: about a bucket's width where it is known."""
    times = [moment(label) for label in answer.labels]
    usual_us = width_us or DAY_US
    if len(times) > 1:
        usual_us = int(median(b - a for a, b in pairwise(times)))
        usual_us = min(usual_us, width_us) if width_us else usual_us
    from_us, to_us = (times[0], times[-1] + usual_us) if times else (0, 1)
    about = f"{stretch(from_us, to_us, zone)} · {zone.key}" if times else zone.key
    parts, top = heading(canvas, answer.title, about)
    strands = strands_of(answer.series or None, answer.values, canvas)
    if len(strands) > 1:
        rows, top = legend(canvas, [strand.name for strand in strands], top)
        parts += rows
    top += SMALL + 11 if answer.unit else 6
    shown = [value for strand in strands for value in strand.values]
    axis = axis_of(shown, canvas.height - top - 40, zero=True)
    plot = plot_of(canvas, top, axis, from_us, to_us)
    parts += value_axis(canvas, plot, answer.unit)
    if is_named(shown):
        for strand in strands:
            points = list(zip(times, strand.values, strict=True))
            parts += lines(plot, points, usual_us, strand.colour)
        parts += time_axis(canvas, plot, zone)
    else:
        parts += _columns(plot, times, strands, usual_us)
        parts += _column_labels(canvas, plot, times, usual_us, zone)
    if all(value is None for value in shown):
        middle = (plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2
        parts.append(note(canvas, EMPTY, *middle))
    return document(canvas, answer.title, parts)


def draw_rows(answer: BarAnswer, canvas: Canvas) -> bytes:
    """Return one row per label; those that do not fit are counted."""
    parts, top = heading(canvas, answer.title, answer.unit or "")
    strands = strands_of(answer.series or None, answer.values, canvas)
    if len(strands) > 1:
        rows, top = legend(canvas, [strand.name for strand in strands], top)
        parts += rows
    bottom = canvas.height - PAD
    least = THINNEST if len(strands) == 1 else 8.0 * len(strands) + 4
    fits = max(int((bottom - top) // least), 1)
    labels = answer.labels
    if len(labels) > fits:
        fits = max(fits - 1, 1)
        left_out = f"and {len(labels) - fits} more"
        parts.append(text(left_out, PAD, bottom, SMALL, canvas.theme.muted))
        bottom -= SMALL + 6
        labels = labels[:fits]
    if not labels:
        parts.append(note(canvas, EMPTY, canvas.width / 2, (top + bottom) / 2))
        return document(canvas, answer.title, parts)
    room = min((bottom - top) / len(labels), max(THICKEST, least) / FULL)
    widest = max(width_of(label or "(no device)", SMALL) for label in labels)
    left = PAD + min(widest, canvas.width * AXIS_SHARE) + 8
    for i, label in enumerate(labels):
        y = top + (i + 0.5) * room
        shown = fitted(label or "(no device)", SMALL, left - PAD - 8)
        parts.append(text(shown, left - 8, y + 4, SMALL, canvas.theme.ink, text_anchor="end"))
    parts += _rows(canvas, strands, len(labels), (left, top, room))
    return document(canvas, answer.title, parts)


def _columns(
    plot: Plot, times: Sequence[int], strands: Sequence[Strand], width_us: int
) -> list[str]:
    step = plot.x(plot.from_us + width_us) - plot.left
    room = max(step * FULL, 0.6)
    each = room / len(strands)
    zero = plot.y(0.0)
    parts = []
    for place, strand in enumerate(strands):
        for time_us, value in zip(times, strand.values, strict=True):
            if value is None:
                continue
            x = plot.x(time_us) + (step - room) / 2 + place * each
            y = plot.y(value)
            parts.append(_bar(x, min(y, zero), max(each - 0.5, 0.5), abs(y - zero), strand.colour))
    return parts


def _column_labels(
    canvas: Canvas, plot: Plot, times: Sequence[int], width_us: int, zone: ZoneInfo
) -> list[str]:
    """Return the times below the columns' middles, as many as there is room for."""
    parts, free = [], 0.0
    half_step = (plot.x(plot.from_us + width_us) - plot.left) / 2
    for time_us in times:
        label = moment_text(time_us, width_us, zone)
        x, half = plot.x(time_us) + half_step, width_of(label, SMALL) / 2
        if x - half < free or x + half > canvas.width - 2:
            continue
        free = x + half + 12
        y = plot.bottom + SMALL + 7
        parts.append(text(label, x, y, SMALL, canvas.theme.muted, text_anchor="middle"))
    return parts


def _rows(
    canvas: Canvas, strands: Sequence[Strand], count: int, place: tuple[float, float, float]
) -> list[str]:
    left, top, room = place
    each = room * FULL / len(strands)
    shown = [[_said(value) for value in strand.values[:count]] for strand in strands]
    widest = max((width_of(said, SMALL) for of in shown for said in of), default=0.0)
    most = max(canvas.width - PAD - left - min(widest, canvas.width * AXIS_SHARE) - 8, 10.0)
    numbers = [v for s in strands for v in s.values[:count] if is_number(v)]
    low, high = min([0.0, *numbers]), max([0.0, *numbers])
    scale = most / (high - low) if high > low else 0.0
    zero = left - low * scale
    rule = f"M{zero:.1f} {top:.1f}V{top + count * room:.1f}"
    parts = [element("path", d=rule, stroke=canvas.theme.axis)]
    for j, strand in enumerate(strands):
        for i, value in enumerate(strand.values[:count]):
            y = top + i * room + room * (1 - FULL) / 2 + j * each
            end = zero
            if is_number(value):
                length = float(value) * scale
                end = zero + max(length, 0.0)
                bar = (zero + min(length, 0.0), y, abs(length), max(each - 1, 1.0))
                parts.append(_bar(*bar, strand.colour))
            said = fitted(shown[j][i], SMALL, canvas.width - PAD - end)
            if each >= SMALL - 1 or len(strands) == 1:
                parts.append(text(said, end + 6, y + each / 2 + 4, SMALL, canvas.theme.muted))
    return parts


def _bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    round_ = min(2.0, width / 3, height / 2)
    return element("rect", x=x, y=y, width=width, height=height, rx=round_, fill=colour)


def _said(value: Value) -> str:
    if value is None:
        return "–"
    return value_text(value) if is_number(value) else name_of(value)
