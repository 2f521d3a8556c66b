"""SVG elements as text, colours, and about how wide a text is.

Invariant: every text and attribute that comes from outside is escaped here.
"""

import re
import unicodedata
from html import escape

import msgspec

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
BOLD = 1.12
"""How much wider bold letters are."""
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|[a-zA-Z]{3,30}")
_NARROW = frozenset("ijlft.,:;!|'`()[]{} -/\\")
_WIDE = frozenset("mwMW@%")


class Theme(msgspec.Struct, frozen=True):
    """Colours of a picture."""

    paper: str
    ink: str
    muted: str
    grid: str
    axis: str
    series: tuple[str, ...]
    severities: dict[str, str]


LIGHT = Theme(
    paper="#ffffff",
    ink="#1b2130",
    muted="#667085",
    grid="#eaecf0",
    axis="#b4bac6",
    series=(
        *("#2563eb", "#ea7317", "#0d9f6e", "#c026a5"),
        *("#7c4ddb", "#0891b2", "#a1730a", "#dc4c64"),
    ),
    severities={"critical": "#d92d20", "warning": "#dc6803", "info": "#1570ef"},
)
DARK = Theme(
    paper="#12161f",
    ink="#e9ecf3",
    muted="#98a2b3",
    grid="#252b38",
    axis="#4b5466",
    series=(
        *("#5b9bff", "#ff9a4d", "#3ccf9a", "#ee6fd6"),
        *("#a98bff", "#38c6e0", "#e0b23f", "#ff7d93"),
    ),
    severities={"critical": "#ff6257", "warning": "#ffa13d", "info": "#58a6ff"},
)
THEMES = {"light": LIGHT, "dark": DARK}


def colour_or(wanted: str | None, otherwise: str) -> str:
    """Return a colour that SVG knows as such: the wanted one if it looks like one."""
    return wanted if wanted is not None and _COLOUR.fullmatch(wanted) else otherwise


def element(name: str, content: str = "", **attributes: object) -> str:
    """Return an element; `content` is SVG already. `_` in a name stands for `-`, None is left out."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{shown}>{content}</{name}>" if content else f"<{name}{shown}/>"


def text(content: str, x: float, y: float, size: float, fill: str, **attributes: object) -> str:
    """Return a text with its baseline at y."""
    return element("text", clean(content), x=x, y=y, font_size=size, fill=fill, **attributes)


def clean(content: str) -> str:
    """Return text as SVG content: escaped, without characters that XML forbids."""
    return escape("".join(c for c in content if c >= " " and c not in "\ufffe\uffff"))


def width_of(content: str, size: float) -> float:
    """Return about how wide a text is in a sans-serif font, in pixels; rather more than less.

    Of a bold one: pass its size times BOLD.
    """
    return size * sum(_em(c) for c in content)


def fitted(content: str, size: float, most: float) -> str:
    """Return a text that is no wider than `most` pixels, cut with an ellipsis."""
    if width_of(content, size) <= most:
        return content
    kept = most - width_of("…", size)
    for i, c in enumerate(content):
        kept -= size * _em(c)
        if kept < 0:
            return content[:i].rstrip() + "…" if i else ""
    return content


def number(value: float) -> str:
    """Return a coordinate: two decimals are finer than any screen."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _em(c: str) -> float:
    if unicodedata.east_asian_width(c) in "WF":
        return 1.05
    if c in _NARROW:
        return 0.37
    if c in _WIDE:
        return 0.98
    return 0.71 if c.isupper() else 0.63


def _text(value: object) -> str:
    return number(value) if isinstance(value, float) else clean(str(value))
