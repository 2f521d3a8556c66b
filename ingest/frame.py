"""Rows → PostgreSQL's binary COPY format, without a Python loop per row.

A fixed-width frame is filled column by column and, where values are absent, compacted with a byte
mask. Format: PostgreSQL documentation, COPY, "Binary Format".
"""

import numpy as np

from twin.batch import Rows

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
EPOCH_2000_US = 946_684_800_000_000
"""PostgreSQL counts from 2000-01-01."""
_HEAD_BYTES = 2 + 4 + 4 + 4 + 8


def used_columns(rows: Rows) -> list[int]:
    """Return the columns that hold a value in any row: only these are sent."""
    return [int(c) for c in np.flatnonzero((~np.isnan(rows.values)).any(axis=0))]


def encode(rows: Rows, columns: list[int]) -> bytes:
    """Return the COPY stream of (stream_id, ts, *columns): header, rows, trailer."""
    n, width = len(rows), len(columns)
    frame = np.empty(
        n,
        dtype=[
            ("fields", ">i2"),
            ("stream_length", ">i4"),
            ("stream_id", ">i4"),
            ("ts_length", ">i4"),
            ("ts", ">i8"),
            ("cells", [("length", ">i4"), ("value", ">f8")], (width,)),
        ],
    )
    frame["fields"] = 2 + width
    frame["stream_length"] = 4
    frame["stream_id"] = rows.stream_id
    frame["ts_length"] = 8
    frame["ts"] = rows.ts_us - EPOCH_2000_US
    values = rows.values if width == rows.values.shape[1] else rows.values[:, columns]
    cells = frame["cells"]
    cells["value"] = values
    absent = np.isnan(values)
    if not absent.any():
        cells["length"] = 8
        return b"".join((HEADER, frame.tobytes(), TRAILER))
    cells["length"] = np.where(absent, -1, 8)
    keep = np.ones((n, frame.itemsize), dtype=bool)
    keep[:, _HEAD_BYTES:].reshape(n, width, 12)[:, :, 4:] = ~absent[:, :, None]
    body = frame.view(np.uint8).reshape(n, frame.itemsize)[keep].tobytes()
    return b"".join((HEADER, body, TRAILER))
