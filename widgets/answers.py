"""The answers of the data endpoints, exactly as they are sent.

Times are RFC 3339 UTC. A value is a number, a text, a boolean, or null where there is none.
"""

import msgspec
from msgspec import UNSET, UnsetType

Value = float | int | str | bool | None


class ShownAlert(msgspec.Struct, frozen=True):
    """The alert that a widget shows: of the firing ones the most severe, then the oldest."""

    severity: str
    name: str
    widget_color: str | None
    material_color: str | None
    icon: str | None
    since: str
    state: str = "firing"


class Series(msgspec.Struct, frozen=True):
    """One of several series; `values` go with the answer's labels."""

    key: str
    device: str | None
    values: list[Value]


class LineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A line: labels are bucket begins."""

    type: str = "line"
    title: str
    unit: str | None
    from_: str = msgspec.field(name="from")
    to: str
    bucket_seconds: int
    labels: list[str]
    values: list[Value]
    min: list[float | None] | UnsetType = UNSET
    max: list[float | None] | UnsetType = UNSET
    series: list[Series] | UnsetType = UNSET
    alert: ShownAlert | None = None


class BarAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Bars: labels are bucket begins, devices, or values of a text key."""

    type: str = "bar"
    title: str
    unit: str | None
    labels: list[str]
    values: list[Value]
    series: list[Series] | UnsetType = UNSET
    alert: ShownAlert | None = None


class SingleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One value; `delta` is its difference from `previous`."""

    type: str = "single"
    title: str
    unit: str | None
    value: Value
    ts: str | None
    previous: Value
    delta: float | None
    stale: bool
    alert: ShownAlert | None = None


class DoublePart(msgspec.Struct, frozen=True):
    """One of a double's values."""

    key: str
    value: Value
    unit: str | None
    ts: str | None


class DoubleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Two values."""

    type: str = "double"
    title: str
    primary: DoublePart
    secondary: DoublePart
    alert: ShownAlert | None = None


Answer = LineAnswer | BarAnswer | SingleAnswer | DoubleAnswer
