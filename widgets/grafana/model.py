"""What the plugin sends and is sent. Fields that it adds and we have no use for are let through."""

from typing import Any

import msgspec

Point = tuple[float | None, int]
"""A value and its time in Unix milliseconds."""


class TimeRange(msgspec.Struct, rename={"from_": "from"}):
    """The dashboard's window, RFC 3339."""

    from_: str
    to: str


class Target(msgspec.Struct, rename={"ref_id": "refId"}):
    """A query of a panel: the metric, and what was chosen of its payload."""

    target: str | None = None
    ref_id: str | None = None
    payload: dict[str, Any] | str | None = None
    hide: bool = False
    type: str | None = None


class Filter(msgspec.Struct):
    """An ad hoc filter of the dashboard."""

    key: str
    operator: str = "="
    value: str = ""


class Query(msgspec.Struct, rename="camel"):
    """What a panel asks."""

    range: TimeRange
    targets: list[Target] = []
    interval_ms: float | None = None
    max_data_points: float | None = None
    adhoc_filters: list[Filter] = []


class MetricQuery(msgspec.Struct):
    """What the editor asks: the metric chosen so far, and the payload to list options of."""

    metric: str | None = None
    payload: Any = None
    name: str | None = None


class VariableQuery(msgspec.Struct):
    """What a dashboard variable asks."""

    payload: Any = None


class TagQuery(msgspec.Struct):
    """What the editor of ad hoc filters asks."""

    key: str = ""


class Option(msgspec.Struct, frozen=True):
    """One of several to choose from."""

    label: str
    value: str


class Payload(msgspec.Struct, frozen=True):
    """Something of a metric to choose; without options the plugin asks for them."""

    label: str
    name: str
    type: str
    placeholder: str = ""
    options: list[Option] = []


class Metric(msgspec.Struct, frozen=True):
    """A key of a datasource."""

    label: str
    value: str
    payloads: list[Payload]


class Series(msgspec.Struct, frozen=True, rename={"ref_id": "refId"}):
    """A line."""

    target: str
    ref_id: str | None
    datapoints: list[Point]


class Column(msgspec.Struct, frozen=True):
    """A column of a table."""

    text: str
    type: str


class Table(msgspec.Struct, frozen=True, rename={"ref_id": "refId"}):
    """What is no number over time."""

    columns: list[Column]
    rows: list[list[Any]]
    ref_id: str | None
    type: str = "table"


class Tag(msgspec.Struct, frozen=True):
    """Something to filter by."""

    text: str
    type: str = "string"


class TagValue(msgspec.Struct, frozen=True):
    """A value to filter for."""

    text: str


class Choice(msgspec.Struct, frozen=True, rename={"text": "__text", "value": "__value"}):
    """A value of a dashboard variable."""

    text: str
    value: str
