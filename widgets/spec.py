"""What a widget shows, as a client writes it: read, merged and checked.

A WidgetSpec that left this module is valid in itself; whether its keys and device exist is the
planner's question. Every problem names its field and what is allowed.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from twin.errors import Invalid, ItemError
from twin.moments import Span, parse_moment, parse_span

AGGREGATES = (
    "avg",
    "min",
    "max",
    "sum",
    "count",
    "first",
    "last",
    "median",
    "p95",
    "p99",
    "delta",
    "rate",
)
CHOICES: dict[str, tuple[str, ...]] = {
    "type": ("line", "bar", "single", "double"),
    "agg": AGGREGATES,
    "downsample": ("bucket", "lttb", "minmax"),
    "fill": ("none", "null", "previous", "linear"),
    "group_by": ("time", "device", "label"),
}
NAMED_RANGES = {
    "today": Span(1, "d"),
    "yesterday": Span(1, "d"),
    "this_week": Span(1, "w"),
    "this_month": Span(1, "mo"),
}
"""Ranges that begin with a local day, week (on Monday) or month."""
FEWEST_PICKED = {"lttb": 3, "minmax": 2}
"""Fewest points that a downsampling can pick: both ends and one between, or the extremes."""
GROUPINGS = {"line": ("time", "device"), "bar": ("time", "device", "label")}
MAX_KEYS = 20
"""Most keys of one widget: each is a query of its own."""
MAX_TEXT = 200
MAX_STALE_S = 10 * 366 * 86_400

_FIELD = re.compile(r"at `\$\.(\w+)|field `(\w+)`")
_EXPECTED = re.compile(r"Expected `([^`]+)`")
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "array": "a list",
    "object": "an object",
    "bool": "true or false",
}
"""What msgspec calls types, in words."""


class WidgetSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A widget's spec; None = not given."""

    type: str
    datasource_id: UUID
    title: str = ""
    key: str | list[str] | None = None
    primary_key: str | None = None
    secondary_key: str | None = None
    device: str | None = None
    unit: str | None = None
    agg: str | None = None
    range: str | None = None
    from_: str | int | float | None = msgspec.field(default=None, name="from")
    to: str | int | float | None = None
    bucket: str = "auto"
    points: int | None = None
    downsample: str = "bucket"
    fill: str = "none"
    timezone: str | None = None
    group_by: str = "time"
    stale_seconds: int = 300

    @property
    def keys(self) -> list[str]:
        """The keys that the widget shows, in order, each once."""
        if self.type == "double":
            return [str(self.primary_key), str(self.secondary_key)]
        return list(dict.fromkeys([self.key] if isinstance(self.key, str) else self.key or []))


FIELDS = tuple(field.encode_name for field in msgspec.structs.fields(WidgetSpec))
OVERRIDES = (
    *("range", "from", "to", "timezone", "device"),
    *("bucket", "points", "agg", "fill", "downsample"),
)
"""What a reader of a saved widget may choose otherwise for one answer."""
_WINDOW_FIELDS = ("range", "from", "to")
_TEXTS = ("title", "unit", "device", "primary_key", "secondary_key")


def saved_spec(fields: Mapping[str, Any], max_points: int) -> WidgetSpec:
    """Return the checked spec of a widget to save; None takes the default. Raises Invalid."""
    given = {name: value for name, value in fields.items() if value is not None}
    spec = _convert(given, strict=True)
    if not spec.title.strip():
        raise _invalid("title", "is needed")
    return _checked(spec, max_points)


def query_spec(
    type_: str, pairs: Iterable[tuple[str, str]], max_points: int
) -> tuple[WidgetSpec, str | None]:
    """Return the spec of an ad-hoc query and its `at`, from the pairs of a query string.

    Raises Invalid.
    """
    fields, at = _fields_of(pairs)
    if "type" in fields:
        raise _invalid("type", "is part of the path")
    return _checked(_convert({**fields, "type": type_}, strict=False), max_points), at


def overridden(
    spec: WidgetSpec, pairs: Iterable[tuple[str, str]], max_points: int
) -> tuple[WidgetSpec, str | None]:
    """Return a saved spec as one reader wants it, and his `at`. Raises Invalid."""
    fields, at = _fields_of(pairs)
    for name in fields:
        if name not in OVERRIDES:
            allowed = ", ".join((*OVERRIDES, "at"))
            raise _invalid(name, f"cannot be chosen here; what can: {allowed}")
    if not fields:
        return spec, at
    stored = stored_form(spec)
    if any(name in fields for name in _WINDOW_FIELDS):
        stored = {k: v for k, v in stored.items() if k not in _WINDOW_FIELDS}
    return _checked(_convert({**stored, **fields}, strict=False), max_points), at


def stored_form(spec: WidgetSpec) -> dict[str, Any]:
    """Return the fields that were given, as JSON values."""
    values: dict[str, Any] = msgspec.to_builtins(spec)
    defaults = {f.encode_name: f.default for f in msgspec.structs.fields(WidgetSpec)}
    return {name: value for name, value in values.items() if value != defaults[name]}


def _fields_of(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, Any], str | None]:
    fields: dict[str, Any] = {}
    for name, text in pairs:
        if name == "key" and name in fields:
            fields[name] = [*_listed(fields[name]), text]
        elif name in fields:
            raise _invalid(name, "is given twice")
        else:
            fields[name] = text
    at = fields.pop("at", None)
    return fields, at


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _convert(fields: Mapping[str, Any], *, strict: bool) -> WidgetSpec:
    try:
        return msgspec.convert(fields, WidgetSpec, strict=strict)
    except msgspec.ValidationError as exc:
        match = _FIELD.search(str(exc))
        field = (match[1] or match[2]) if match else None
        if "unknown field" in str(exc):
            raise _invalid(field, f"is not a field; what is: {', '.join(FIELDS)}") from None
        if "missing required" in str(exc):
            raise _invalid(field, "is needed") from None
        raise _invalid(field, _of_type(str(exc).split(" - at")[0])) from None


def _of_type(problem: str) -> str:
    """Return what a field must be, in words, of what msgspec says about its type."""
    match = _EXPECTED.match(problem)
    if match is None:
        return f"is not valid: {problem[:1].lower()}{problem[1:]}"
    wanted = [_TYPES.get(name, name) for name in match[1].split(" | ") if name != "null"]
    return f"must be {' or '.join(wanted)}"


def _checked(spec: WidgetSpec, max_points: int) -> WidgetSpec:
    problems = [
        ItemError(key=field, message=f"{field} {problem}")
        for field, problem in _problems(spec, max_points)
    ]
    if problems:
        raise Invalid("; ".join(p.message for p in problems) + ".", errors=problems)
    return spec


def _problems(spec: WidgetSpec, max_points: int) -> list[tuple[str, str]]:
    found = []
    for field, allowed in CHOICES.items():
        if getattr(spec, field) is not None and getattr(spec, field) not in allowed:
            found.append((field, f"must be one of {', '.join(allowed)}"))
    if found:
        return found
    groupings = GROUPINGS.get(spec.type, ("time",))
    if spec.group_by not in groupings:
        found.append(("group_by", f"of a {spec.type} must be one of {', '.join(groupings)}"))
    if spec.points is not None and not 1 <= spec.points <= max_points:
        found.append(("points", f"must be between 1 and {max_points}"))
    if not 0 < spec.stale_seconds <= MAX_STALE_S:
        found.append(("stale_seconds", f"must be between 1 and {MAX_STALE_S}"))
    too_long = [f for f in ("title", "unit") if len(getattr(spec, f) or "") > MAX_TEXT]
    found += [(field, f"must not be longer than {MAX_TEXT} characters") for field in too_long]
    texts = [(f, str(getattr(spec, f) or "")) for f in _TEXTS]
    found += [(field, "must not hold a NUL character") for field, text in texts if "\0" in text]
    if any("\0" in key for key in spec.keys):
        found.append(("key", "must not hold a NUL character"))
    return found + _downsample_problems(spec) + _key_problems(spec) + _time_problems(spec)


def _downsample_problems(spec: WidgetSpec) -> list[tuple[str, str]]:
    fewest = FEWEST_PICKED.get(spec.downsample)
    if fewest is None:
        return []
    found = []
    if spec.type != "line":
        found.append(("downsample", f"of a {spec.type} must be bucket: only a line is thinned"))
    if spec.points is not None and spec.points < fewest:
        found.append(("points", f"must be at least {fewest} for {spec.downsample}"))
    if spec.agg in ("delta", "rate"):
        found.append(("agg", f"{spec.agg} needs buckets: use downsample bucket"))
    return found


def _key_problems(spec: WidgetSpec) -> list[tuple[str, str]]:
    if spec.type == "double":
        missing = [f for f in ("primary_key", "secondary_key") if not getattr(spec, f)]
        extra = [("key", "is for the other types: a double has primary_key and secondary_key")]
        return [(f, "is needed for a double") for f in missing] + (extra if spec.key else [])
    found = [
        (f, "is for a double: use key")
        for f in ("primary_key", "secondary_key")
        if getattr(spec, f) is not None
    ]
    count = len(spec.keys)
    if count == 0 or not all(spec.keys):
        found.append(("key", "is needed"))
    elif spec.type == "single" and count > 1:
        found.append(("key", "must be one key for a single"))
    elif spec.group_by == "label" and count > 1:
        found.append(("key", "must be one key when grouped by label"))
    elif count > MAX_KEYS:
        found.append(("key", f"must be at most {MAX_KEYS} keys"))
    return found


def _time_problems(spec: WidgetSpec) -> list[tuple[str, str]]:
    found = []
    zone = ZoneInfo("UTC")
    if spec.timezone is not None:
        try:
            zone = zone_of(spec.timezone)
        except ValueError as exc:
            found.append(("timezone", str(exc)))
    if spec.range is not None and (spec.from_ is not None or spec.to is not None):
        found.append(("range", "must not be given together with from or to"))
    if spec.range is not None and spec.range not in NAMED_RANGES:
        found += _problem("range", parse_span, spec.range, f", or {', '.join(NAMED_RANGES)}")
    if spec.bucket != "auto":
        found += _problem("bucket", parse_span, spec.bucket, " or 'auto'")
    ends: list[int] = []
    for field, value in (("from", spec.from_), ("to", spec.to)):
        if value is not None:
            found += _problem(
                field, lambda text: ends.append(parse_moment(text, zone)), str(value), ""
            )
    if len(ends) == 2 and ends[0] >= ends[1]:
        found.append(("from", "must lie before to"))
    return found


def _problem(field: str, parse: Any, text: str, also: str) -> list[tuple[str, str]]:
    try:
        parse(text)
    except ValueError as exc:
        return [(field, f"{exc}{also}")]
    return []


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be an IANA time zone like 'Europe/Berlin'") from None


def _invalid(field: str | None, problem: str) -> Invalid:
    name = field or "widget"
    message = f"{name} {problem}"
    return Invalid(f"{message}.", errors=[ItemError(key=field, message=message)])
