"""Which readings are late, asked of the database: it alone knows what every worker has stored.

Runs after the batch's own rows were written, so these have to be told from older ones. A live batch
has one row per stream and costs one index descent each; only batches with several rows of a stream
have to look between them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from psycopg import sql

from twin.batch import Rows
from twin.clock import to_datetime
from twin.db.pool import Connection
from twin.db.queries import load


def newest_stored(
    conn: Connection, rows: Rows, column: int, first_us: Mapping[int, int]
) -> dict[int, int]:
    """Return by stream the newest reading stored before the batch, where one may make others late.

    `first_us`: stream -> its first reading in question, which is one of the batch's.
    """
    last_us = {stream: _last_us(rows, stream) for stream in first_us}
    values: dict[str, Any] = {
        "streams": list(first_us),
        "until": [to_datetime(us) for us in last_us.values()],
        "lowest": to_datetime(min(last_us.values())),
    }
    found: dict[int, int] = dict(conn.execute(_query("stored_beyond", column), values).fetchall())
    several = [s for s in first_us if s not in found and first_us[s] < last_us[s]]
    if several:
        own = _rows_of(rows, several)
        values = {
            "streams": several,
            "after": [to_datetime(first_us[s]) for s in several],
            "until": [to_datetime(last_us[s]) for s in several],
            "lowest": to_datetime(min(first_us[s] for s in several)),
            "highest": to_datetime(max(last_us[s] for s in several)),
            "batch_streams": own.stream_id.tolist(),
            "batch_ts": [to_datetime(us) for us in own.ts_us.tolist()],
        }
        found.update(conn.execute(_query("stored_between", column), values).fetchall())
    return found


def _query(name: str, column: int) -> sql.Composed:
    text = load("alerts", "evaluation")[name].decode()
    return sql.SQL(text).format(column=sql.Identifier(f"v{column}"))


def _last_us(rows: Rows, stream_id: int) -> int:
    return int(rows.ts_us[np.searchsorted(rows.stream_id, stream_id, "right") - 1])


def _rows_of(rows: Rows, streams: list[int]) -> Rows:
    mine = np.flatnonzero(np.isin(rows.stream_id, np.array(streams, rows.stream_id.dtype)))
    return Rows(rows.stream_id[mine], rows.ts_us[mine], rows.values[mine])
