"""Line protocol whose lines hold now these fields, now those, straight into columns.

With a third of ten values absent a body has hundreds of forms, too many to sort it by them. Here every
line is cut at its signs by the interpreter, but numbers and times are checked and converted in bulk.
Numbers of page 0 only; whatever is out of the ordinary makes this path answer None.
"""

import re

import numpy as np
import pyarrow as pa

from ingest.block import Block, empty_page
from ingest.foreign.influx_fast import MAX_SERIES, MIN_LINES, OTHERS, times_us
from ingest.foreign.influx_line import Units, split_series
from ingest.foreign.names import device_name
from twin.batch import PAGE_SLOTS
from twin.schema import DatasourceSchema

_NUMBERS = re.compile(rb"(?:-?[0-9]++(?:\.[0-9]++)?+,)++")
_TIMES = re.compile(rb"(?:[0-9]{1,19}+,)++")
_PLAIN_SIGNS = frozenset(b",= \n")
_Columns = dict[bytes, int]


class ScatteredLines:
    """Decodes bodies of one schema. Made anew when the schema's keys change."""

    def __init__(self, schema: DatasourceSchema, max_device_length: int) -> None:
        """Start without any series."""
        self._schema = schema
        self._max_device_length = max_device_length
        self._series: dict[bytes, tuple[int, _Columns]] = {}
        """Series as written → stream id, and the column of each of the measurement's fields."""
        self._measurements: dict[str, _Columns] = {}
        self.took_last = False
        """Whether the last body was one for this path."""

    def block(self, body: bytes, units: Units, max_lines: int) -> Block | None:
        """Return the rows of a body whose lines are known numbers and have a time, or None."""
        block = self._block(body, units, max_lines)
        self.took_last = block is not None
        return block

    def _block(self, body: bytes, units: Units, max_lines: int) -> Block | None:
        lines = body.removesuffix(b"\n").split(b"\n")
        if not MIN_LINES <= len(lines) <= max_lines:
            return None
        if not _PLAIN_SIGNS.issuperset(body.translate(None, OTHERS)):
            return None
        stream_ids: list[int] = []
        columns: list[int] = []
        counts: list[int] = []
        numbers: list[bytes] = []
        stamps: list[bytes] = []
        try:
            for line in lines:
                series, fields, stamp = line.split(b" ")
                stream_id, column_of = self._series.get(series) or self._learn(series)
                parts = fields.replace(b"=", b",").split(b",")
                count = len(parts) >> 1
                if fields.translate(None, OTHERS) != (b"=," * count)[:-1]:
                    return None
                stream_ids.append(stream_id)
                columns += map(column_of.__getitem__, parts[::2])
                numbers += parts[1::2]
                counts.append(count)
                stamps.append(stamp)
        except (KeyError, ValueError):  # Malformed is one
            return None
        return self._rows(stream_ids, columns, counts, numbers, stamps, units)

    def _rows(
        self,
        stream_ids: list[int],
        columns: list[int],
        counts: list[int],
        numbers: list[bytes],
        stamps: list[bytes],
        units: Units,
    ) -> Block | None:
        joined = b",".join((*numbers, b""))
        if not (_NUMBERS.fullmatch(joined) and _TIMES.fullmatch(b",".join((*stamps, b"")))):
            return None
        try:
            ts_us = times_us(pa.array(np.fromiter(map(int, stamps), np.int64, len(stamps))), units)
        except OverflowError:
            return None
        values = np.fromiter(map(float, numbers), np.float64, len(numbers))
        if ts_us is None or not np.isfinite(values).all():
            return None
        page = empty_page(len(stream_ids))
        page[np.repeat(np.arange(len(counts)), counts), columns] = values
        held = ~np.isnan(page)
        if held.sum() != len(values):
            return None  # a field twice in a line
        slots = frozenset(np.flatnonzero(held.any(axis=0)).tolist())
        ids = np.array(stream_ids, dtype=np.int32)
        return Block(self._schema.no, len(ids), ids, ts_us, page, slots)

    def _learn(self, series: bytes) -> tuple[int, _Columns]:
        """Return and keep what a series stands for. Raises Malformed, KeyError for an unknown one."""
        measurement, tags = split_series(series)
        stream_id = self._schema.stream(device_name(tags, self._max_device_length), 0)
        if not stream_id:
            raise KeyError(series)
        if len(self._series) >= MAX_SERIES:
            self._series.clear()
            self._measurements.clear()
        known = self._measurements.get(measurement)
        if known is None:
            known = self._measurements[measurement] = self._columns(measurement)
        found = self._series[series] = stream_id, known
        return found

    def _columns(self, measurement: str) -> _Columns:
        prefix = f"{measurement}."
        return {
            key.key.removeprefix(prefix).encode(): key.slot
            for key in self._schema.keys.values()
            if key.kind == "number" and key.slot < PAGE_SLOTS and key.key.startswith(prefix)
        }
