"""Columns of stored doubles → an Arrow table with names, types and labels. Pure.

Types: `ts` is a timestamp in UTC with microseconds, `device` a string; a number is a double, a boolean
a boolean, a text a string. Absent values are null.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twin.batch import Floats
from twin.schema import DatasourceSchema, Kind
from widgets.readings.query import Columns
from widgets.readings.selection import Selection

TIMESTAMP = pa.timestamp("us", tz="UTC")
_TYPES: dict[Kind | None, Any] = {
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    None: pa.float64(),  # declared, and without a value so far
}


def arrow_schema(selection: Selection) -> Any:
    """Return the Arrow schema of a selection's table."""
    types = [TIMESTAMP, pa.string(), *(_TYPES[key.kind] for key in selection.keys)]
    return pa.schema(list(zip(selection.names, types, strict=True)))


def table(selection: Selection, columns: Columns) -> Any:
    """Return a window's readings as a pyarrow.Table."""
    schema = selection.schema
    arrays = [pa.array(columns.ts_us, TIMESTAMP), _devices(schema, columns)]
    for key, values in zip(selection.keys, columns.values, strict=True):
        arrays.append(_values(schema, key.kind, values))
    return pa.Table.from_arrays(arrays, schema=arrow_schema(selection))


def _devices(schema: DatasourceSchema, columns: Columns) -> Any:
    streams, index = np.unique(columns.stream, return_inverse=True)
    names = pa.array([schema.streams[int(stream)][0] for stream in streams], pa.string())
    return pc.take(names, pa.array(index.astype(np.int32)))


def _values(schema: DatasourceSchema, kind: Kind | None, values: Floats) -> Any:
    absent = np.isnan(values)
    if kind == "boolean":
        return pa.array(values != 0, mask=absent)
    if kind == "text":
        codes = np.where(absent, 0, values).astype(np.int32)
        return pc.take(pa.array(schema.label_texts, pa.string()), pa.array(codes, mask=absent))
    return pa.array(values, mask=absent)


def with_text_times(found: Any) -> Any:
    """Return a table whose times are RFC 3339 text, with a fraction only where there is one."""
    texts = pc.strftime(found.column(0), format="%Y-%m-%dT%H:%M:%SZ")
    texts = pc.replace_substring_regex(texts, r"\.0+Z$", "Z")
    texts = pc.replace_substring_regex(texts, r"(\.\d*[1-9])0+Z$", r"\1Z")
    return found.set_column(0, found.schema.names[0], texts)
