"""The fast path: JSON of known keys straight into columns.

A Struct is generated per schema with a field per key, so that msgspec checks kinds while it decodes.
Whatever is out of the ordinary (an unknown key or device, a null, another shape, any fault) makes this
path answer None, and the general path judges the request from the start.
"""

import math
import re
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from ingest.block import Block, PageRows, Row, empty_page
from ingest.readings import Context
from ingest.times import MAX_AHEAD_US, BadTime, numbers_to_us, texts_to_us
from twin.batch import PAGE_SLOTS, Floats, Int64s
from twin.schema import DataKey, DatasourceSchema

NAN = math.nan
MAX_FIELDS = 64
"""Above so many keys a Struct per reading costs more than the dict it saves."""
_TYPES: dict[str | None, Any] = {"number": float, "boolean": bool | None, "text": str | None}
_HEAD: list[tuple[str, Any, Any]] = [("ts", int | float | str | None, None), ("device", str, "")]
_ESCAPED = re.compile(r'["\\\x00-\x1f]')
"""What JSON escapes in a key: msgspec takes no such names for fields, so the general path does."""
_SNIFF_BYTES = 200
"""`values` is looked for so far into the body."""


class FastCodec:
    """Decodes bodies of one schema. Made anew when the schema's keys change."""

    def __init__(self, schema: DatasourceSchema) -> None:
        """Generate the Structs and decoders."""
        self._schema = schema
        self.keys_version = schema.keys_version
        keys = [k for k in schema.keys.values() if k.kind is not None]
        reserved = {"ts", "device", "values", "timestamp", "time"}
        self._keys = [k for k in keys if k.key not in reserved and not _ESCAPED.search(k.key)][
            :MAX_FIELDS
        ]
        fields = [
            (f"f{k.slot}", _TYPES[k.kind], NAN if k.kind == "number" else None) for k in self._keys
        ]
        names = {f"f{k.slot}": k.key for k in self._keys}
        options: dict[str, Any] = {"forbid_unknown_fields": True, "gc": False, "kw_only": True}
        flat = msgspec.defstruct("Flat", [*_HEAD, *fields], rename=names, **options)
        inner = msgspec.defstruct("Inner", fields, rename=names, **options)
        nested = msgspec.defstruct("Nested", [*_HEAD, ("values", inner)], **options)
        self._many = {
            False: msgspec.json.Decoder(list[flat]),  # type: ignore[valid-type]
            True: msgspec.json.Decoder(list[nested]),  # type: ignore[valid-type]
        }
        self._one = {False: msgspec.json.Decoder(flat), True: msgspec.json.Decoder(nested)}
        self._getters = {k.slot: attrgetter(f"f{k.slot}") for k in self._keys}
        self._columns = [k.column for k in self._keys]
        self._slots = frozenset(k.slot for k in self._keys)
        is_plain = all(k.kind == "number" and k.page == 0 for k in self._keys)
        self._numbers = attrgetter(*names) if is_plain and len(names) > 1 else None
        """Gives all values of a reading at once, where all keys are numbers of page 0."""

    def serves(self, schema: DatasourceSchema) -> bool:
        """Return whether this codec was made for the schema as it is now."""
        return self._schema is schema and self.keys_version == schema.keys_version

    def block(self, body: bytes, context: Context, max_readings: int) -> Block | None:
        """Return the rows of a body whose readings are all in order, or None."""
        nested = b'"values"' in body[:_SNIFF_BYTES]
        try:
            if body[:1] == b"[":
                rows = self._many[nested].decode(body)
            else:
                rows = [self._one[nested].decode(body)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if not rows or len(rows) > max_readings:
            return None
        return self._judge(rows, nested, context)

    def row(self, body: bytes, context: Context) -> Row | None:
        """Return the row of a body that is one reading of a schema of numbers, in order, or None."""
        if self._numbers is None:
            return None
        nested = b'"values"' in body[:_SNIFF_BYTES]
        try:
            reading: Any = self._one[nested].decode(body)
            ts_us = context.time_of(reading.ts, 0)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadTime):
            return None
        values = self._numbers(reading.values if nested else reading)
        total = sum(values)
        if total - total != 0.0 and not _is_partial(values):
            return None
        stream_id = self._schema.stream(reading.device, 0)
        if not stream_id:
            return None
        return Row(self._schema.no, stream_id, ts_us, values, self._columns)

    def lines_block(self, lines: list[bytes], context: Context) -> Block | None:
        """Return the rows of JSON texts, one a reading, when all are in order, or None."""
        nested = b'"values"' in lines[0][:_SNIFF_BYTES]
        try:
            rows = self._one[nested].decode_lines(b"\n".join(lines))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if len(rows) != len(lines):
            return None  # a text over several lines, or two in one
        return self._judge(rows, nested, context)

    def _judge(self, rows: list[Any], nested: bool, context: Context) -> Block | None:
        ts_us = _times([r.ts for r in rows], context)
        if ts_us is None:
            return None
        devices = [r.device for r in rows]
        if nested:
            rows = [r.values for r in rows]
        return self._rows(rows, devices, ts_us)

    def _rows(self, rows: list[Any], devices: list[str], ts_us: Int64s) -> Block | None:
        if len(rows) == 1:
            return self._row(rows[0], devices[0], ts_us)
        known = self._schema.devices
        try:
            stream_ids = [known[d][0] for d in devices]
        except (KeyError, IndexError):
            return None
        if 0 in stream_ids:
            return None
        pages: dict[int, Floats] = {0: empty_page(len(rows))}
        for key in self._keys:
            column = self._column(rows, key)
            if column is None:
                return None
            page = pages.get(key.page)
            if page is None:
                page = pages[key.page] = empty_page(len(rows))
            page[:, key.column] = column
        return self._block(pages, devices, stream_ids, ts_us)

    def _row(self, row: Any, device: str, ts_us: Int64s) -> Block | None:
        """Return the rows of one reading: for so few, plain Python is quicker than columns."""
        codes = self._schema.label_codes
        pages: dict[int, list[float]] = {0: [NAN] * PAGE_SLOTS}
        slots = []
        for key in self._keys:
            value = self._getters[key.slot](row)
            if isinstance(value, str):
                value = codes.get(value)
                if value is None:
                    return None
            elif value is None or value != value:
                continue
            elif value in (math.inf, -math.inf):
                return None
            page = pages.get(key.page)
            if page is None:
                page = pages[key.page] = [NAN] * PAGE_SLOTS
            page[key.column] = value
            slots.append(key.slot)
        numbers = sorted(pages) if len(pages) > 1 else [0]
        ids = [self._schema.stream(device, number) for number in numbers]
        if 0 in ids or not slots:
            return None
        return Block(
            self._schema.no,
            1,
            np.array(ids, dtype=np.int32),
            ts_us if len(ids) == 1 else np.repeat(ts_us, len(ids)),
            np.array([pages[number] for number in numbers], dtype=np.float64),
            frozenset(slots),
        )

    def _column(self, rows: list[Any], key: DataKey) -> Floats | None:
        get = self._getters[key.slot]
        if key.kind == "text":
            codes = self._schema.label_codes
            try:
                texts = [get(r) for r in rows]
                return np.array([NAN if t is None else codes[t] for t in texts], dtype=np.float64)
            except KeyError:
                return None
        if key.kind == "boolean":
            return np.array([NAN if v is None else v for v in map(get, rows)], dtype=np.float64)
        column = np.fromiter(map(get, rows), np.float64, len(rows))
        return None if np.isinf(column).any() else column

    def _block(
        self, pages: dict[int, Floats], devices: list[str], stream_ids: list[int], ts_us: Int64s
    ) -> Block | None:
        built = PageRows(self._schema.no)
        slots: set[int] = set()
        is_empty = np.ones(len(ts_us), dtype=np.bool_)
        for number, values in sorted(pages.items()):
            held = ~np.isnan(values)
            in_row = held.any(axis=1)
            is_empty &= ~in_row
            slots.update(int(c) + number * PAGE_SLOTS for c in np.flatnonzero(held.any(axis=0)))
            if number == 0:
                built.add(stream_ids, ts_us, values)
                continue
            rows = np.flatnonzero(in_row)
            ids = [self._schema.stream(devices[i], number) for i in rows]
            if 0 in ids:
                return None
            built.add(ids, ts_us[rows], values[rows])
        if is_empty.any():
            return None  # no value in a reading: the general path tells nulls from nothing
        return built.block(frozenset(slots))


def _is_partial(values: tuple[float, ...]) -> bool:
    """Return whether a reading holds a value, and none that is infinite."""
    return any(v == v for v in values) and math.inf not in values and -math.inf not in values


def column_times(raw: list[Any], context: Context) -> Int64s | None:
    """Return the times of readings, of any forms, or None when one is bad."""
    ts_us = _times(raw, context)
    if ts_us is None:
        try:
            found = [context.time_of(one, row) for row, one in enumerate(raw)]
        except BadTime:
            return None
        ts_us = np.array(found, dtype=np.int64)
    return ts_us


def _times(raw: list[Any], context: Context) -> Int64s | None:
    """Return the times of readings, or None when one is out of the ordinary."""
    first = raw[0]
    ts_us: Int64s | None
    if len(raw) == 1:
        try:
            ts_us = np.array([context.time_of(first, 0)], dtype=np.int64)
        except BadTime:
            return None
        return ts_us
    kinds = set(map(type, raw))
    if kinds == {int}:
        ts_us = numbers_to_us(raw, context.ns_per_unit)
    elif kinds == {str}:
        ts_us = texts_to_us(raw)
    elif kinds == {type(None)}:
        return context.received_us + np.arange(len(raw), dtype=np.int64)
    else:
        return None
    if ts_us is None or ts_us.min() < 0 or ts_us.max() > context.received_us + MAX_AHEAD_US:
        return None
    return ts_us
