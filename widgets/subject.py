"""What a widget's key is in its datasource: the column, the streams, and how its values look.

Pure: a schema goes in.
"""

from collections.abc import Sequence

from twin.errors import Invalid, ItemError
from twin.schema import DataKey, DatasourceSchema
from widgets.answers import Value
from widgets.newest import Pool
from widgets.together import Party

_LISTED = 30
"""Most known names an error lists."""
_KEEPS_KIND = ("first", "last", "min", "max")
_TEXT_AGGREGATES = ("first", "last", "count")


class Subject:
    """One key of a datasource under an aggregate."""

    def __init__(self, schema: DatasourceSchema, key: DataKey, agg: str) -> None:
        """Look at `key` through `agg`."""
        self.key = key
        self.agg = agg
        self._schema = schema

    def streams(self, device: str | None) -> tuple[int, ...]:
        """Return the streams that hold the key: of one device, or of all."""
        page = self.key.page
        if device is not None:
            stream = self._schema.stream(device, page)
            return (stream,) if stream else ()
        return tuple(i for i, (_, p) in self._schema.streams.items() if p == page)

    @property
    def party(self) -> Party:
        """Return to whom the datasource belongs."""
        return self._schema.org_id, self._schema.environment

    @property
    def pool(self) -> Pool:
        """Return all devices together."""
        return Pool(self._schema.org_id, self._schema.no, self._beside)

    def _beside(self, stream: int) -> int:
        """Return the stream of the key's page that is of the same device, 0 without one."""
        known = self._schema.streams.get(stream)
        return 0 if known is None else self._schema.stream(known[0], self.key.page)

    def device_of(self, stream: float) -> str:
        """Return the device of a stream."""
        return self._schema.streams[int(stream)][0]

    def unit(self, wanted: str | None) -> str | None:
        """Return the unit of the aggregate; `wanted` wins."""
        own = self.key.unit
        if wanted is not None or own is None or self.agg == "count":
            return wanted
        return f"{own}/s" if self.agg == "rate" else own

    def present(self, value: float | None) -> Value:
        """Return a stored double as what it stands for."""
        if value is None:
            return None
        if self.agg == "count":
            return int(value)
        if self.agg in _KEEPS_KIND and self.key.kind is not None:
            return self.stored(value)
        return value

    def presented(self, values: Sequence[float | None]) -> Sequence[Value]:
        """Return `present` of each value."""
        if self.agg != "count" and self.key.kind == "number":
            return values  # they stand for themselves
        return [self.present(value) for value in values]

    def stored(self, value: float) -> Value:
        """Return a reading's own value: a text for its code, a boolean for 0 and 1."""
        if self.key.kind == "text":
            texts, code = self._schema.label_texts, int(value)
            return texts[code] if 0 <= code < len(texts) else None
        return bool(value) if self.key.kind == "boolean" else value


def find_key(schema: DatasourceSchema, field: str, name: str) -> DataKey:
    """Return a key of the schema. Raises Invalid naming it and the known ones."""
    key = schema.keys.get(name)
    if key is None:
        raise _unknown(field, f"There is no key '{name}'", list(schema.keys))
    return key


def find_subject(schema: DatasourceSchema, field: str, name: str, agg: str | None) -> Subject:
    """Return the subject of a key. Without `agg`: the mean of numbers, the last of others.

    Raises Invalid for an unknown key and for an aggregate that texts do not have.
    """
    key = find_key(schema, field, name)
    if agg is None:
        agg = "last" if key.kind in ("text", "boolean") else "avg"
    if key.kind == "text" and agg not in _TEXT_AGGREGATES:
        allowed = ", ".join(_TEXT_AGGREGATES)
        message = f"agg {agg} does not go with the text key '{name}'; what does: {allowed}"
        raise Invalid(f"{message}.", errors=[ItemError(key="agg", message=message)])
    return Subject(schema, key, agg)


def check_device(schema: DatasourceSchema, device: str | None) -> None:
    """Raise Invalid, naming known ones, for a device that has never sent a reading."""
    if device is not None and schema.devices and device not in schema.devices:
        raise _unknown("device", f"There is no device '{device}'", list(schema.devices))


def _unknown(field: str, problem: str, known: list[str]) -> Invalid:
    names = ", ".join(f"'{name}'" for name in known[:_LISTED]) or "none yet"
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    message = f"{problem} in this datasource; known: {names}{more}."
    return Invalid(message, errors=[ItemError(key=field, message=message)])
