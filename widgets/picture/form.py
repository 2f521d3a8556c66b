"""The form of an answer that is a picture: which drawing, at which size, in which colours."""

import re
from collections.abc import Iterable
from typing import ClassVar
from zoneinfo import ZoneInfo

import msgspec

from twin.errors import Invalid, ItemError
from twin.moments import parse_span
from widgets.answers import Answer, DoubleAnswer, LineAnswer, SingleAnswer
from widgets.picture.bars import draw_columns, draw_rows
from widgets.picture.card import draw_double, draw_single
from widgets.picture.frame import Canvas
from widgets.picture.line import draw
from widgets.picture.svg import THEMES
from widgets.spec import WidgetSpec

SIZES = {"line": (640, 320), "bar": (640, 320), "single": (320, 160), "double": (420, 170)}
"""Width and height in pixels when nobody says."""
BOUNDS = {"width": (160, 2000), "height": (100, 1200)}
"""Smaller is not readable, larger not a picture for a page."""

_WHOLE = re.compile(r"[0-9]{1,6}")


class Picture(msgspec.Struct, frozen=True):
    """An SVG; a size that is None is that of the widget's type."""

    theme: str = "light"
    width: int | None = None
    height: int | None = None

    media_type: ClassVar[str] = "image/svg+xml"

    def encode(self, answer: Answer, spec: WidgetSpec, zone: ZoneInfo) -> bytes:
        """Return the body."""
        width, height = SIZES[answer.type]
        size = float(self.width or width), float(self.height or height)
        canvas = Canvas(*size, THEMES[self.theme], answer.alert)
        if isinstance(answer, SingleAnswer):
            return draw_single(answer, zone, canvas)
        if isinstance(answer, DoubleAnswer):
            return draw_double(answer, zone, canvas)
        if isinstance(answer, LineAnswer):
            return draw(answer, zone, canvas, picked=spec.downsample != "bucket")
        if spec.group_by == "time":
            width_us = None if spec.bucket == "auto" else parse_span(spec.bucket).nominal_us
            return draw_columns(answer, zone, canvas, width_us)
        return draw_rows(answer, canvas)


def picture_of(
    pairs: Iterable[tuple[str, str]],
) -> tuple[Picture, list[tuple[str, str]]]:
    """Return the picture that a query string asks for, and the pairs that are about its data.

    Raises Invalid.
    """
    asked: dict[str, str | int] = {}
    rest = []
    for name, value in pairs:
        if name not in Picture.__struct_fields__:
            rest.append((name, value))
        elif name in asked:
            raise _invalid(name, "is given twice")
        elif name == "theme":
            if value not in THEMES:
                raise _invalid(name, f"must be one of {', '.join(THEMES)}")
            asked[name] = value
        else:
            low, high = BOUNDS[name]
            if not (_WHOLE.fullmatch(value) and low <= int(value) <= high):
                raise _invalid(name, f"must be a whole number between {low} and {high}")
            asked[name] = int(value)
    return msgspec.convert(asked, Picture), rest


def _invalid(field: str, problem: str) -> Invalid:
    message = f"{field} {problem}"
    return Invalid(f"{message}.", errors=[ItemError(key=field, message=message)])
