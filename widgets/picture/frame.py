"""What every picture has: paper, title, what it is about, and the alert that it shows."""

from collections.abc import Sequence

import msgspec

from widgets.answers import ShownAlert
from widgets.picture.svg import (
    BOLD,
    FONT,
    Theme,
    clean,
    colour_or,
    element,
    fitted,
    number,
    text,
    width_of,
)

PAD = 16.0
TITLE = 15.0
SMALL = 11.0
"""Sizes of text in pixels."""
BADGE_SHARE = 0.45
"""Most of the width that the alert's name takes."""


class Canvas(msgspec.Struct, frozen=True):
    """A picture's size and colours."""

    width: float
    height: float
    theme: Theme
    alert: ShownAlert | None

    @property
    def accent(self) -> str:
        """The colour of what is shown: the alert's while one fires."""
        return self.theme.series[0] if self.alert is None else self.warning

    @property
    def warning(self) -> str:
        """The alert's colour; without one of its own that of its severity."""
        if self.alert is None:
            return self.theme.muted
        own = self.theme.severities.get(self.alert.severity, self.theme.series[0])
        return colour_or(self.alert.widget_color, own)


def document(canvas: Canvas, title: str, parts: Sequence[str]) -> bytes:
    """Return the picture of parts, with a title for those who cannot see it."""
    size = {"width": number(canvas.width), "height": number(canvas.height)}
    paper = element("rect", **size, fill=canvas.theme.paper)
    body = "".join([element("title", _named(canvas, title)), paper, *parts])
    root = element(
        "svg",
        body,
        xmlns="http://www.w3.org/2000/svg",
        **size,
        viewBox=f"0 0 {size['width']} {size['height']}",
        role="img",
        font_family=FONT,
    )
    return root.encode()


def heading(canvas: Canvas, title: str, about: str) -> tuple[list[str], float]:
    """Return title, line below it and alert badge, and the y below them."""
    theme, right = canvas.theme, canvas.width - PAD
    badge, badge_width = _badge(canvas)
    room = right - PAD - (badge_width + 10 if badge else 0)
    parts = [*badge]
    y = PAD + TITLE * 0.8
    parts.append(
        text(fitted(title, TITLE, room / BOLD), PAD, y, TITLE, theme.ink, font_weight="600")
    )
    if about:
        y += SMALL + 6
        parts.append(text(fitted(about, SMALL, right - PAD), PAD, y, SMALL, theme.muted))
    return parts, y + 8


def note(canvas: Canvas, content: str, x: float, y: float) -> str:
    """Return a remark in the middle of what would be there otherwise."""
    return text(content, x, y, 13, canvas.theme.muted, text_anchor="middle")


def _badge(canvas: Canvas) -> tuple[list[str], float]:
    alert = canvas.alert
    if alert is None:
        return [], 0.0
    name = fitted(alert.name, SMALL, (canvas.width * BADGE_SHARE - 32) / BOLD)
    width = width_of(name, SMALL * BOLD) + 30
    x, y = canvas.width - PAD - width, PAD - 5
    colour = canvas.warning
    return [
        element("rect", width=number(canvas.width), height="3", fill=colour),
        element("rect", x=x, y=y, width=width, height=20.0, rx=10.0, fill=colour, opacity="0.14"),
        element("circle", cx=x + 12, cy=y + 10, r=4.0, fill=colour),
        text(name, x + 20, y + 14, SMALL, canvas.theme.ink, font_weight="600"),
    ], width


def _named(canvas: Canvas, title: str) -> str:
    alert = "" if canvas.alert is None else f" – {canvas.alert.severity}: {canvas.alert.name}"
    return clean(title + alert)
