"""Arrow record batches → columns, without looking at values one by one. Pure."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as at

from ingest.columns import Bools, Column, Columns, Texts
from ingest.formats import cells
from ingest.formats.cell_times import Times, local_to_utc, put_texts
from ingest.formats.layout import find_layout
from ingest.formats.part import Request, Taken
from ingest.times import numbers_to_us
from twin.batch import Int64s
from twin.clock import DAY_US
from twin.errors import Invalid, ItemError
from twin.schema import Kind

_UNIT_NS = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}


class ArrowTable:
    """The columns of a schema: what they are for, and of what kind."""

    def __init__(self, schema: pa.Schema, request: Request) -> None:
        """Find the layout. Raises Invalid naming the columns that cannot be read."""
        self._request = request
        self._schema = schema
        names = [name.strip() for name in schema.names]
        self._names = names
        self._layout = find_layout(names, request.options)
        errors = []
        for place, field in enumerate(schema):
            fault = self._type_fault(place, _plain(field.type))
            if fault:
                errors.append(ItemError(fault, key=names[place][:200]))
        if errors:
            raise Invalid(f"The column '{errors[0].key}': {errors[0].message}.", errors=errors)

    def taken(self) -> list[Taken]:
        """Return what each column was taken for."""
        found = []
        for place, field in enumerate(self._schema):
            name, shown = self._names[place], str(field.type)
            if place == self._layout.time:
                found.append(Taken(name, "time", format=shown))
            elif place == self._layout.device:
                found.append(Taken(name, "device", format=shown))
            elif not name:
                found.append(Taken(name, "left out", format=shown))
            else:
                found.append(Taken(name, "key", _kind(_plain(field.type)), shown))
        return found

    def columns(self, batch: pa.RecordBatch, first: int) -> Columns:
        """Return a validated batch as columns; its first row is data row `first`."""
        rows = batch.num_rows
        index = first + np.arange(rows, dtype=np.int64)
        layout = self._layout
        name = "" if layout.time is None else self._names[layout.time]
        times = Times(self._request.context, index, name)
        if layout.time is not None:
            self._put_times(times, _decoded(batch.column(layout.time)))
        if layout.device is None:
            devices = Texts(np.full(rows, -1, dtype=np.int32), [])
        else:
            devices = _texts(batch.column(layout.device))
        columns = []
        for place, key in layout.keys:
            column = _column(key, batch.column(place))
            if column is not None:
                columns.append(column)
        return Columns(index, times.ts_us, devices, columns, times.faults)

    def _type_fault(self, place: int, type_: pa.DataType) -> str | None:
        if not self._names[place]:
            return None
        if not _is_read(type_):
            return f"values of type {str(type_)[:80]} cannot be stored; send plain columns"
        if place == self._layout.time and (at.is_boolean(type_) or at.is_time(type_)):
            return f"the time cannot be of type {type_}"
        if place == self._layout.device and not (_is_text(type_) or at.is_integer(type_)):
            return f"the device must be text, not {type_}"
        return None

    def _put_times(self, times: Times, array: pa.Array) -> None:
        held: Bools = array.is_valid().to_numpy(zero_copy_only=False)
        type_, context = array.type, self._request.context
        if not held.any():
            return
        if _is_text(type_):
            texts = pc.utf8_trim_whitespace(array.cast(pa.string()))
            put_texts(times, texts, context)
        elif at.is_timestamp(type_) or at.is_date(type_):
            found = _moments_us(array)[held]
            is_local = at.is_date(type_) or type_.tz is None
            times.put(held, local_to_utc(found, context.zone) if is_local else found)
        else:
            _put_numbers(times, array, held, context.ns_per_unit)


def _put_numbers(times: Times, array: pa.Array, held: Bools, ns_per_unit: int | None) -> None:
    if at.is_integer(array.type) and not at.is_uint64(array.type):
        values = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        found = numbers_to_us(values[held], ns_per_unit)
        if found is not None:
            times.put(held, found)
            return
    is_whole = at.is_integer(array.type)
    for row in np.flatnonzero(held).tolist():
        raw = array[row].as_py()
        times.put_one(row, raw if is_whole else float(raw))


def _moments_us(array: pa.Array) -> Int64s:
    """Return timestamps or dates as µs; beyond int64 they stay beyond every range."""
    if at.is_timestamp(array.type):
        unit_ns = _UNIT_NS[array.type.unit]
        raw = array.cast(pa.int64())
    else:
        unit_ns = DAY_US * 1000 if at.is_date32(array.type) else 10**6
        raw = array.cast(pa.int32() if at.is_date32(array.type) else pa.int64())
    raw = np.asarray(raw.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    if unit_ns < 1000:
        whole: Int64s = raw // (1000 // unit_ns)
        return whole
    most = 2**62 // (unit_ns // 1000)
    found: Int64s = np.clip(raw, -most, most) * (unit_ns // 1000)
    return found


def _column(key: str, array: Any) -> Column | None:
    kind = _kind(_plain(array.type))
    if kind is None or array.null_count == len(array):
        return None
    if kind == "text":
        return Column(key, kind, _texts(array))
    array = _decoded(array)
    if at.is_boolean(array.type):
        array = array.cast(pa.uint8())
    values = pc.cast(array, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return Column(key, kind, values)


def _texts(array: Any) -> Texts:
    if at.is_dictionary(array.type) and _is_text(array.type.value_type):
        return cells.text_column(array)
    array = _decoded(array)
    if not at.is_string(array.type) and not at.is_large_string(array.type):
        array = array.cast(pa.string())
    return cells.text_column(array)


def _decoded(array: Any) -> Any:
    """Return an array without dictionary or run-length encoding."""
    if at.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if at.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array


def _plain(type_: pa.DataType) -> pa.DataType:
    """Return the type of the values beneath an encoding."""
    while at.is_dictionary(type_) or at.is_run_end_encoded(type_):
        type_ = type_.value_type
    return type_


def _kind(type_: pa.DataType) -> Kind | None:
    if at.is_boolean(type_):
        return "boolean"
    if at.is_integer(type_) or at.is_floating(type_) or at.is_decimal(type_):
        return "number"
    return None if at.is_null(type_) else "text"


def _is_text(type_: pa.DataType) -> bool:
    return bool(at.is_string(type_) or at.is_large_string(type_) or at.is_string_view(type_))


def _is_read(type_: pa.DataType) -> bool:
    return bool(
        _kind(type_) in ("number", "boolean", None)
        or _is_text(type_)
        or at.is_timestamp(type_)
        or at.is_date(type_)
        or at.is_time(type_)
    )
