"""The forms in which an answer is sent: JSON, CSV and an Arrow stream, chosen by `Accept`.

Pure. All hold the same data. As a table, an answer along time or of bars is a column of labels, its
values, and a column per series; a single or double is one row. What is no column (title, unit, alert,
window) stands in the Arrow schema's metadata under `twinfeed`, as JSON; CSV goes without.
"""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from widgets.answers import Answer, BarAnswer, DoubleAnswer, LineAnswer, Value
from widgets.spec import WidgetSpec

Columns = list[tuple[str, Sequence[Value]]]


class Form(Protocol):
    """A way to write an answer; equal forms write the same bytes."""

    @property
    def media_type(self) -> str:
        """The Content-Type."""

    def encode(self, answer: Answer, spec: WidgetSpec, zone: ZoneInfo) -> bytes:
        """Return the body; `zone` is the widget's."""


class Json(msgspec.Struct, frozen=True):
    """The contract's JSON."""

    media_type: ClassVar[str] = "application/json"

    def encode(self, answer: Answer, *_: object) -> bytes:
        """Return the body."""
        return msgspec.json.encode(answer)


class Csv(msgspec.Struct, frozen=True):
    """RFC 4180, with a header; an empty cell is null."""

    media_type: ClassVar[str] = "text/csv; charset=utf-8; header=present"

    def encode(self, answer: Answer, spec: WidgetSpec, *_: object) -> bytes:
        """Return the body."""
        columns = columns_of(answer, spec)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow([name for name, _ in columns])
        cells = [[_cell(value) for value in values] for _, values in columns]
        writer.writerows(zip(*cells, strict=True))
        return text.getvalue().encode()


class Arrow(msgspec.Struct, frozen=True):
    """An Arrow IPC stream of one batch; times are timestamps."""

    media_type: ClassVar[str] = "application/vnd.apache.arrow.stream"

    def encode(self, answer: Answer, spec: WidgetSpec, *_: object) -> bytes:
        """Return the body."""
        columns = columns_of(answer, spec)
        if isinstance(answer, LineAnswer | BarAnswer):  # any key may be called ts or unit
            (label, labels), *others = columns
            arrays = [_times(labels) if label == "ts" else _values(labels)]
            arrays += [_values(values) for _, values in others]
        else:
            arrays = [_field(name, values) for name, values in columns]
        rest = {"twinfeed": msgspec.json.encode(_rest(answer))}
        table = pa.table(arrays, [name for name, _ in columns], metadata=rest)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())


JSON = Json()
OFFERED: dict[str, Form] = {
    "application/json": JSON,
    "text/csv": Csv(),
    "application/vnd.apache.arrow.stream": Arrow(),
}
"""By media type; of equal ones the first is preferred."""


def negotiate(accept: str | None) -> Form:
    """Return the form that an Accept header wants most (RFC 9110 12.5.1); JSON when it names none.

    Of ranges with the same weight the one that says more wins: `text/csv, */*` wants CSV.
    """
    best: tuple[float, int] = (0.0, 0)
    found: Form = JSON
    ranges = [_range(part) for part in (accept or "").split(",")]
    for media_type, form in OFFERED.items():
        group = media_type.partition("/")[0]
        for detail, pattern in enumerate(("*/*", f"{group}/*", media_type), 1):
            weight = max((q for name, q in ranges if name == pattern), default=0.0)
            if weight and (weight, detail) > best:
                best, found = (weight, detail), form
    return found


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


def columns_of(answer: Answer, spec: WidgetSpec) -> Columns:
    """Return an answer as named columns of equal length; times are RFC 3339 text."""
    if isinstance(answer, LineAnswer | BarAnswer):
        return _series_columns(answer, spec)
    if isinstance(answer, DoubleAnswer):
        sides = (("primary", answer.primary), ("secondary", answer.secondary))
        return [
            (f"{side}_{field}", [getattr(part, field)])
            for side, part in sides
            for field in ("key", "value", "unit", "ts")
        ]
    fields = ("ts", "value", "unit", "previous", "delta", "stale")
    return [(field, [getattr(answer, field)]) for field in fields]


def _series_columns(answer: LineAnswer | BarAnswer, spec: WidgetSpec) -> Columns:
    labels = "ts" if spec.group_by == "time" or answer.type == "line" else spec.group_by
    columns: Columns = [(labels, answer.labels), ("value", answer.values)]
    for side in ("min", "max"):
        values = getattr(answer, side, None)
        if isinstance(values, list):
            columns.append((side, values))
    for series in answer.series or ():
        name = series.key if series.device is None else f"{series.key} {series.device}"
        columns.append((_unused(name, columns), series.values))
    return columns


def _unused(name: str, columns: Columns) -> str:
    """Return a column's name with a number after it where it is taken."""
    taken = {name for name, _ in columns}
    names = (name, *(f"{name}_{i}" for i in range(2, len(taken) + 3)))
    return next(free for free in names if free not in taken)


def _rest(answer: Answer) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(answer)
    return {
        k: v for k, v in fields.items() if k not in ("labels", "values", "min", "max", "series")
    }


def _cell(value: Value) -> Value:
    return str(value).lower() if isinstance(value, bool) else value


def _times(values: Sequence[Value]) -> pa.Array:
    moments = [None if v is None else datetime.fromisoformat(str(v)) for v in values]
    return pa.array(moments, pa.timestamp("us", "UTC"))


def _field(name: str, values: Sequence[Value]) -> pa.Array:
    if name.endswith("ts"):
        return _times(values)
    return pa.array(values, pa.string()) if name.endswith("unit") else _values(values)


def _values(values: Sequence[Value]) -> pa.Array:
    array = pa.array(values)
    return array.cast(pa.float64()) if pa.types.is_null(array.type) else array
