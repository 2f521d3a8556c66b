"""How far the rollups can be trusted: the marks and the dirty hours.

`widgets/` fills and reads the rollups, writers and deletions keep the books here.

`rollup_1m` and `rollup_15m` hold buckets before `rollup_mark.readers_us`. A bucket there is exact
unless its (stream, hour) stands in `rollup_dirty`. Why that is so:

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

A reader asks for `reader_state` first and for rows afterwards: it sees everything that was
committed before it asked. Both marks only grow, and lie on a quarter of an hour.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from twin.batch import Int32s, Int64s
from twin.clock import SECOND_US, to_datetime
from twin.db.pool import AsyncConnection, Connection
from twin.db.queries import load

MARK_LOCK = int.from_bytes(b"tf.marks", "big")
"""Advisory lock of `ingest_begin`: shared by writers, exclusive for moving their mark."""
HOUR_US = 3600 * SECOND_US
QUARTER_US = 900 * SECOND_US

_queries = load("twin", "rollups")


class ReaderState(msgspec.Struct, frozen=True):
    """What may be read from the rollups, for the streams and range that were asked for.

    Buckets that end by `closed_us` are there; `dirty_hours_us` (ascending starts of UTC hours, the
    union over the streams) must be read from `readings` all the same.
    """

    closed_us: int
    dirty_hours_us: tuple[int, ...]


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


async def reader_state(
    conn: AsyncConnection, stream_ids: Sequence[int], from_us: int, to_us: int
) -> ReaderState:
    """Return what the rollups are good for in [from_us, to_us) of these streams.

    One query. Ask before reading rows, or a row committed in between may be missed.
    """
    cursor = await conn.execute(
        _queries["reader_state"],
        {
            "streams": list(stream_ids),
            "from": to_datetime(from_us // HOUR_US * HOUR_US),
            "to": to_datetime(to_us),
        },
    )
    row = await cursor.fetchone()
    if row is None:
        raise LookupError("rollup_mark is empty")
    return ReaderState(int(row[0]), tuple(int(hour) * HOUR_US for hour in row[1]))
