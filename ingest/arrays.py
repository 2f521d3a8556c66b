"""numpy arrays → PostgreSQL's binary arrays, without a Python loop per element.

Format: array_recv in PostgreSQL's src/backend/utils/adt/arrayfuncs.c: dimensions, whether there are
NULLs, the element's type, length, lower bound; then each element with its length, -1 for NULL.
"""

import struct

import numpy as np
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ingest.frame import EPOCH_2000_US
from twin.batch import Floats, Int32s, Int64s
from twin.db.pool import Connection

_INT4, _INT8, _FLOAT8, _TIMESTAMPTZ = 23, 20, 701, 1184
_CELLS = {
    layout: np.dtype([("length", ">i4"), ("value", layout)]) for layout in (">i4", ">i8", ">f8")
}
_HEAD = struct.Struct(">5i")


class _Array(bytes):
    """An encoded array."""


class Int4Array(_Array):
    """An encoded int4[]."""


class Int8Array(_Array):
    """An encoded int8[]."""


class Float8Array(_Array):
    """An encoded float8[]."""


class TimestamptzArray(_Array):
    """An encoded timestamptz[]."""


class _EncodedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        """Pass on what is encoded already."""
        return obj


def register(conn: Connection) -> None:
    """Let a connection take encoded arrays as parameters."""
    for kind, oid in (
        (Int4Array, 1007),
        (Int8Array, 1016),
        (Float8Array, 1022),
        (TimestamptzArray, 1185),
    ):
        conn.adapters.register_dumper(kind, type(kind.__name__, (_EncodedDumper,), {"oid": oid}))


def int4s(values: Int32s) -> Int4Array:
    """Encode int32[n]."""
    return Int4Array(_encode(values, ">i4", _INT4))


def int8s(values: Int64s) -> Int8Array:
    """Encode int64[n]."""
    return Int8Array(_encode(values, ">i8", _INT8))


def timestamps(ts_us: Int64s) -> TimestamptzArray:
    """Encode int64[n] of microseconds since 1970."""
    return TimestamptzArray(_encode(ts_us - EPOCH_2000_US, ">i8", _TIMESTAMPTZ))


def floats(values: Floats) -> Float8Array:
    """Encode float64[n]; NaN is NULL."""
    absent = np.isnan(values)
    if not absent.any():
        return Float8Array(_encode(values, ">f8", _FLOAT8))
    cells = _cells(values, ">f8")
    cells["length"][absent] = -1
    keep = np.ones((len(values), cells.itemsize), dtype=bool)
    keep[:, 4:] = ~absent[:, None]
    body = cells.view(np.uint8).reshape(len(values), cells.itemsize)[keep].tobytes()
    return Float8Array(_head(len(values), _FLOAT8, has_nulls=True) + body)


def _encode(values: Int32s | Int64s | Floats, layout: str, oid: int) -> bytes:
    return _head(len(values), oid) + _cells(values, layout).tobytes()


def _cells(
    values: Int32s | Int64s | Floats, layout: str
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    cells = np.empty(len(values), dtype=_CELLS[layout])
    cells["length"] = cells.itemsize - 4
    cells["value"] = values
    return cells


def _head(length: int, oid: int, *, has_nulls: bool = False) -> bytes:
    return _HEAD.pack(1, has_nulls, oid, length, 1)
