"""How far the rollups can be trusted: the marks and the dirty hours.

`widgets/` fills and reads the rollups, writers and deletions keep the books here.

`rollup_1m` and `rollup_15m` hold buckets before `rollup_mark.readers_us`. A bucket there is exact
unless its (stream, hour) stands in `rollup_dirty`. `rollup_1h` holds the hours of whole days (UTC)
before that mark, made of the quarters in the transactions that move it and that delete dirty
entries, so the same holds for it; and for `rollup_5m`, which holds the fives of the last days up to
that mark (`fives_from_us`), made of the minutes. Why that is so:

1. A writer first takes MARK_LOCK shared, then reads `writers_us` in a newer snapshot
   (`ingest_begin`), and holds the lock until its commit has become visible.
2. The refresh moves `writers_us` while it holds MARK_LOCK exclusively. So every writer that saw the
   old mark is committed and visible by then, and every later one sees the new mark and records each
   row before it in `rollup_dirty`, in the row's own transaction.
3. Only then it aggregates up to `writers_us`: what its snapshot misses is recorded as dirty. Then
   it moves `readers_us`.
4. Dirty entries are read, the hours recomputed in a later snapshot, and exactly those entries
   deleted. A row that the snapshot misses has an entry of its own, which stays.
5. Deletions record every hour they touch, whatever the mark.

A reader joins the dirty hours in the statement that reads the rows: one snapshot for both. Both
marks only grow, and lie on a quarter of an hour.
"""

import numpy as np

from twin.batch import Int32s, Int64s
from twin.clock import DAY_US, SECOND_US
from twin.db.pool import Connection
from twin.db.queries import load

MARK_LOCK = int.from_bytes(b"tf.marks", "big")
"""Advisory lock of `ingest_begin`: shared by writers, exclusive for moving their mark."""
HOUR_US = 3600 * SECOND_US
QUARTER_US = 900 * SECOND_US
FIVES_KEPT_US = 8 * DAY_US
"""Longer lines have coarser buckets, and the fives of 1,000 devices take some 140 MB a day."""

_queries = load("twin", "rollups")


def fives_from_us(closed_us: int) -> int:
    """Return from when on `rollup_5m` holds buckets while the readers' mark is at `closed_us`."""
    return closed_us // DAY_US * DAY_US - FIVES_KEPT_US


def begin(conn: Connection) -> int:
    """Open a writing transaction: call it first in it. Returns the mark for `mark_dirty`, in µs."""
    row = conn.execute(_queries["begin"]).fetchone()
    if row is None:
        raise LookupError("rollup_mark is empty")
    return int(row[0])


def mark_dirty(conn: Connection, stream_id: Int32s, ts_us: Int64s, mark_us: int) -> None:
    """Record the hours of rows older than the mark, in the rows' own transaction.

    stream_id int32[n], ts_us int64[n] in any order; `mark_us` is what `begin` returned in this
    transaction. Costs one comparison per row when nothing is old.
    """
    old = ts_us < mark_us
    if not old.any():
        return
    # Both fit 31 bits: hours since 1970 reach that in 245,000 years.
    pairs = np.unique((stream_id[old].astype(np.int64) << 32) | (ts_us[old] // HOUR_US))
    streams, hours = pairs >> 32, pairs & 0xFFFFFFFF
    conn.execute(_queries["mark_dirty"], [streams.tolist(), hours.tolist()])
