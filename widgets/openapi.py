"""The fields of a spec in the OpenAPI document: as query parameters and as a body.

The handlers read both themselves, so that every refusal names the field and what is allowed.
"""

from dataclasses import dataclass
from typing import Any

from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Parameter,
    RequestBody,
    Schema,
)

from widgets.picture.form import BOUNDS
from widgets.picture.svg import THEMES
from widgets.spec import CHOICES, FIELDS, OVERRIDES

_TEXT, _WHOLE, _NULL = OpenAPIType.STRING, OpenAPIType.INTEGER, OpenAPIType.NULL
_MOMENT = "RFC 3339, a local date or time in the time zone, or a Unix time"
_DESCRIPTIONS = {
    "type": "what it looks like",
    "datasource_id": "where the readings are",
    "title": "default of an ad-hoc question: the key's label",
    "key": "the key to show; several for a line or bar",
    "primary_key": "of a double",
    "secondary_key": "of a double",
    "device": "default: all devices pooled",
    "unit": "default: the key's",
    "agg": "default: avg of numbers, last of texts and booleans; of a single: its newest value",
    "range": "15m, 24h, 7d, 1mo … or today, yesterday, this_week, this_month; default 24h",
    "from": f"begin of the window: {_MOMENT}",
    "to": f"end of the window, not part of it: {_MOMENT}",
    "bucket": "auto (default), or a width: 10s, 5m, 1h, 1d, 1w, 1mo …",
    "points": "most buckets that auto gives, or readings that are picked; default 300, bars 48",
    "downsample": "what a line shows: aggregates of buckets, or readings picked by LTTB or min-max",
    "fill": "what is shown where there is no value; previous and linear look before the window",
    "timezone": "IANA name; default: the datasource's",
    "group_by": "one value per bucket, device, or value of a text key",
    "stale_seconds": "age from which on a single is stale; default 300",
    "at": f"answer as if now were then: {_MOMENT}",
}


def _schema(field: str) -> Schema:
    """Return what a field may be; null stands for its default, in a query string too."""
    description = _DESCRIPTIONS[field]
    if field in CHOICES:
        choices = [*CHOICES[field], None]
        return Schema(type=[_TEXT, _NULL], enum=choices, description=description)
    if field == "datasource_id":
        return Schema(type=_TEXT, format=OpenAPIFormat.UUID, description=description)
    if field == "key":
        several = Schema(type=OpenAPIType.ARRAY, items=Schema(type=_TEXT))
        return Schema(any_of=[Schema(type=[_TEXT, _NULL]), several], description=description)
    kind = _WHOLE if field in ("points", "stale_seconds") else _TEXT
    return Schema(type=[kind, _NULL], description=description)


def _query(field: str, *, required: bool = False) -> Parameter:
    return Parameter(name=field, param_in="query", schema=_schema(field), required=required)


@dataclass
class AdHocQuestion(Operation):
    """An operation whose query string holds a spec."""

    def __post_init__(self) -> None:
        """Add the parameters."""
        fields = [field for field in (*FIELDS, "at") if field != "type"]
        found = [_query(field, required=field == "datasource_id") for field in fields]
        self.parameters = [*(self.parameters or []), *found]


@dataclass
class SavedQuestion(Operation):
    """An operation whose query string changes a saved spec for one answer."""

    def __post_init__(self) -> None:
        """Add the parameters."""
        found = [_query(field) for field in (*OVERRIDES, "at")]
        self.parameters = [*(self.parameters or []), *found]


@dataclass
class SavedPicture(SavedQuestion):
    """The same of a picture, with its size and colours."""

    def __post_init__(self) -> None:
        """Add the parameters."""
        super().__post_init__()
        theme = Schema(type=_TEXT, enum=list(THEMES), description="colours; default light")
        sizes = [
            Schema(type=_WHOLE, minimum=low, maximum=high, description=f"{name} in pixels")
            for name, (low, high) in BOUNDS.items()
        ]
        schemas = zip(("theme", *BOUNDS), (theme, *sizes), strict=True)
        found = [Parameter(name=name, param_in="query", schema=s) for name, s in schemas]
        self.parameters = [*(self.parameters or []), *found]


@dataclass
class SpecBody(Operation):
    """An operation whose body is a spec, or the part of one that changes."""

    def __post_init__(self) -> None:
        """Describe the body."""
        properties: dict[str, Any] = {field: _schema(field) for field in FIELDS}
        schema = Schema(type=OpenAPIType.OBJECT, properties=properties)
        media = OpenAPIMediaType(schema=schema)
        self.request_body = RequestBody(content={"application/json": media}, required=True)
