"""A card: one value large, or two side by side, with unit, time and change."""

from zoneinfo import ZoneInfo

from widgets.answers import DoubleAnswer, SingleAnswer, Value
from widgets.picture.frame import PAD, SMALL, Canvas, document, heading, note
from widgets.picture.line import moment
from widgets.picture.plot import is_number, name_of
from widgets.picture.scale import stamp, value_text
from widgets.picture.svg import BOLD, clean, element, fitted, number, text, width_of

LARGEST = 64.0
SMALLEST = 16.0
"""Sizes of the value's text; what does not fit at the smallest is cut."""
UNIT = 0.42
"""A unit's size beside its value's."""
NO_VALUE = "No value yet"


def draw_single(answer: SingleAnswer, zone: ZoneInfo, canvas: Canvas) -> bytes:
    """Return the card of one value."""
    parts, top = heading(canvas, answer.title, "")
    if answer.value is None:
        parts.append(note(canvas, NO_VALUE, canvas.width / 2, (top + canvas.height) / 2))
        return document(canvas, answer.title, parts)
    foot = canvas.height - PAD
    room = canvas.width - 2 * PAD
    colour = canvas.theme.ink if canvas.alert is None else canvas.warning
    middle = (top + foot - SMALL - 6) / 2
    parts += _value(canvas, (PAD, middle, room), answer.value, answer.unit, colour)
    when = "" if answer.ts is None else stamp(moment(answer.ts), zone)
    said = [piece for piece in (_change(answer), when) if piece]
    if answer.stale:
        said.append("stale")
    line = fitted("  ·  ".join(said), SMALL, room)
    parts.append(text(line, PAD, foot, SMALL, canvas.theme.muted))
    return document(canvas, answer.title, parts)


def draw_double(answer: DoubleAnswer, zone: ZoneInfo, canvas: Canvas) -> bytes:
    """Return the card of two values."""
    parts, top = heading(canvas, answer.title, "")
    foot, half = canvas.height - PAD, canvas.width / 2
    rule = f"M{number(half)} {number(top + 4)}V{number(foot)}"
    parts.append(element("path", d=rule, stroke=canvas.theme.grid))
    colour = canvas.theme.ink if canvas.alert is None else canvas.warning
    for part, left in ((answer.primary, PAD), (answer.secondary, half + PAD)):
        room = half - 2 * PAD
        key = fitted(part.key, SMALL, room / BOLD)
        parts.append(text(key, left, top + 10, SMALL, canvas.theme.muted, font_weight="600"))
        if part.value is None:
            middle = (top + foot) / 2 + 6
            parts.append(text(fitted(NO_VALUE, 13, room), left, middle, 13, canvas.theme.muted))
            continue
        middle = (top + 14 + foot - SMALL - 6) / 2
        parts += _value(canvas, (left, middle, room), part.value, part.unit, colour)
        when = "" if part.ts is None else stamp(moment(part.ts), zone)
        parts.append(text(fitted(when, SMALL, room), left, foot, SMALL, canvas.theme.muted))
    return document(canvas, answer.title, parts)


def _value(
    canvas: Canvas,
    place: tuple[float, float, float],
    value: Value,
    unit: str | None,
    colour: str,
) -> list[str]:
    """Return a value as large as it fits into (x, middle y, width), its unit after it."""
    x, middle, room = place
    said = value_text(value) if is_number(value) else name_of(value)
    shown_unit = fitted(unit or "", SMALLEST, room / 2)
    wide = width_of(said, BOLD) + UNIT * width_of(shown_unit, 1.0) + (0.3 if unit else 0.0)
    size = max(min(LARGEST, canvas.height * 0.34, room / max(wide, 0.1)), SMALLEST)
    unit_size = max(size * UNIT, SMALL)
    room -= width_of(shown_unit, unit_size) + 8 if unit else 0
    after = ""
    if unit:
        look = {"font_size": unit_size, "font_weight": "400", "fill": canvas.theme.muted}
        after = element("tspan", clean(shown_unit), dx=size * 0.16, **look)
    place_of = {"x": x, "y": middle + size * 0.36, "font_size": size, "fill": colour}
    shown = clean(fitted(said, size, room / BOLD))
    return [element("text", shown + after, **place_of, font_weight="600")]


def _change(answer: SingleAnswer) -> str:
    if answer.delta is None:
        return ""
    if answer.delta == 0:
        return "unchanged"
    sign = "▲" if answer.delta > 0 else "▼"
    return f"{sign} {value_text(abs(answer.delta))}"
