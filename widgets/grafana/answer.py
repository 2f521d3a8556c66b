"""A panel's query → widget specs, and their answers → series and tables. Pure."""

import math
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from twin.moments import parse_moment
from widgets.grafana.catalog import invalid
from widgets.grafana.model import Column, Filter, Point, Query, Series, Table, Target

DEVICE = "device"
"""What can be filtered by."""
OPERATORS = ("=", "!=", "=~", "!~")
FIELDS = ("device", "agg", "group_by", "bucket", "downsample", "fill", "timezone")
"""What a target's payload may say, as the fields of a widget's spec."""
MAX_TARGETS = 100
"""Most queries of a panel; each is a widget's."""
_UTC = ZoneInfo("UTC")


def points(query: Query, max_points: int) -> int:
    """Return the most points of a series: Grafana's maxDataPoints, and no closer than intervalMs."""
    from_us = _moment("range.from", query.range.from_)
    to_us = _moment("range.to", query.range.to)
    wanted = float(max_points)
    if query.max_data_points is not None and query.max_data_points >= 1:
        wanted = query.max_data_points
    if query.interval_ms is not None and query.interval_ms > 0:
        wanted = min(wanted, math.ceil((to_us - from_us) / 1000 / query.interval_ms))
    return int(max(1, min(wanted, max_points)))


def payload_of(target: Target) -> dict[str, str]:
    """Return the fields of a target's payload that are filled in. Raises Invalid for others."""
    given = target.payload
    if isinstance(given, str):
        try:
            given = msgspec.json.decode(given) if given.strip() else {}
        except msgspec.DecodeError:
            raise invalid("targets.payload", "must be a JSON object") from None
    if not isinstance(given, dict | None):
        raise invalid("targets.payload", "must be a JSON object")
    found = {name: value for name, value in (given or {}).items() if value not in (None, "", [])}
    for name in found:
        if name not in FIELDS:
            raise invalid("targets.payload", f"has no '{name[:100]}'; it has {', '.join(FIELDS)}")
    return {name: str(value) for name, value in found.items()}


def check_filters(filters: Sequence[Filter]) -> None:
    """Raise Invalid for a filter that means nothing here."""
    for item in filters:
        if item.key != DEVICE:
            raise invalid("adhocFilters", f"can filter by '{DEVICE}', not by '{item.key[:100]}'")
        if item.operator not in OPERATORS:
            raise invalid("adhocFilters", f"know the operators {', '.join(OPERATORS)}")
        if "~" in item.operator:
            _matches(item.value, "")


def is_kept(device: str, filters: Sequence[Filter]) -> bool:
    """Return whether all filters keep a device."""
    return all(_keeps(item, device) for item in filters)


def shown(
    answer: dict[str, Any], key: str, target: Target, filters: Sequence[Filter]
) -> list[Series | Table]:
    """Return the series of a line's answer, or a table where its values are no numbers."""
    times = [_moment("labels", label) // 1000 for label in answer["labels"]]
    lines = answer.get("series")
    named = [(key, answer["values"])]
    if lines is not None and any(line["device"] is not None for line in lines):
        named = [
            (f"{line['key']} {line['device']}".strip(), line["values"])
            for line in lines
            if is_kept(line["device"], filters)
        ]
    if any(isinstance(value, str) for _, values in named for value in values):
        columns = [Column("Time", "time"), *(Column(name, "string") for name, _ in named)]
        rows = [
            [time, *(values[i] for _, values in named)]
            for i, time in enumerate(times)
            if any(values[i] is not None for _, values in named)
        ]
        return [Table(columns, rows, target.ref_id)]
    return [Series(name, target.ref_id, _points(times, values)) for name, values in named]


def _points(times: list[int], values: list[float | bool | None]) -> list[Point]:
    return [
        (None if value is None else float(value), time)
        for time, value in zip(times, values, strict=True)
    ]


def _keeps(item: Filter, device: str) -> bool:
    matches = _matches(item.value, device) if "~" in item.operator else device == item.value
    return matches != item.operator.startswith("!")


def _matches(pattern: str, text: str) -> bool:
    """Return whether a dashboard's regular expression finds something; RE2 never takes long."""
    try:
        found = pc.match_substring_regex(pa.scalar(text), pattern)
    except pa.ArrowInvalid:
        raise invalid("adhocFilters", "holds no regular expression (RE2)") from None
    return bool(found.as_py())


def _moment(field: str, text: str) -> int:
    try:
        return parse_moment(text, _UTC)
    except ValueError as exc:
        raise invalid(field, str(exc)) from None
