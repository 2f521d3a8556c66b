"""What was stored before a batch, asked of the database: it alone knows what every worker stored.

Runs after the batch's own rows were written, so these have to be told from older ones. A live batch
has one row per stream and costs one index descent each; only batches with several rows of a stream
have to look between them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from psycopg import sql

from twin.batch import Int32s, Int64s, Rows
from twin.clock import to_datetime
from twin.db.pool import Connection
from twin.db.queries import load

Value = tuple[int, float]
"""(time in µs, value)."""


def newest_stored(
    conn: Connection, rows: Rows, column: int, first_us: Mapping[int, int]
) -> dict[int, int]:
    """Return by stream the newest value stored before the batch, where one may make others late.

    `first_us`: stream -> the first reading in question. Each stream has a value in the batch.
    """
    own_id, own_us = _own(rows, column, list(first_us))
    last_us = {stream: _last_us(own_id, own_us, stream) for stream in first_us}
    values: dict[str, Any] = {
        "streams": list(first_us),
        "until": [to_datetime(us) for us in last_us.values()],
        "lowest": to_datetime(min(last_us.values())),
    }
    rows_found = conn.execute(_query("stored_beyond", column), values).fetchall()
    found: dict[int, int] = {stream: ts_us for stream, ts_us, _ in rows_found}
    several = [s for s in first_us if s not in found and first_us[s] < last_us[s]]
    if several:
        mine = np.isin(own_id, several)
        values = {
            "streams": several,
            "after": [to_datetime(first_us[s]) for s in several],
            "until": [to_datetime(last_us[s]) for s in several],
            "lowest": to_datetime(min(first_us[s] for s in several)),
            "highest": to_datetime(max(last_us[s] for s in several)),
            "batch_streams": own_id[mine].tolist(),
            "batch_ts": [to_datetime(us) for us in own_us[mine].tolist()],
        }
        found.update(conn.execute(_query("stored_between", column), values).fetchall())
    return found


def newest_before(
    conn: Connection, rows: Rows, column: int, first_us: Mapping[int, int], reach_us: int
) -> dict[int, Value]:
    """Return by stream the newest value stored that is not the batch's own.

    `first_us`: stream -> the batch's first time; nothing older than `reach_us` before it counts.
    """
    own_id, own_us = _own(rows, column, list(first_us))
    owners, place = np.unique(own_id, return_index=True)
    first_own = dict(zip(owners.tolist(), own_us[place].tolist(), strict=True))
    foreign = {s: us - reach_us for s, us in first_us.items() if s not in first_own}
    found: dict[int, Value] = {}
    if foreign:
        values: dict[str, Any] = {
            "streams": list(foreign),
            "until": [to_datetime(us) for us in foreign.values()],
            "lowest": to_datetime(min(foreign.values())),
        }
        for stream, ts_us, value in conn.execute(_query("stored_beyond", column), values):
            found[stream] = ts_us, value
    if first_own:
        later = newest_stored(conn, rows, column, first_own)
        if later:
            found.update(_values_at(conn, column, later))
        earlier = {s: us for s, us in first_own.items() if s not in later}
        found.update(_values_before(conn, column, earlier, reach_us))
    return found


def _values_at(conn: Connection, column: int, at_us: Mapping[int, int]) -> dict[int, Value]:
    values = {"streams": list(at_us), "ts": [to_datetime(us) for us in at_us.values()]}
    rows = conn.execute(_query("values_at", column), values).fetchall()
    return {stream: (at_us[stream], value) for stream, value in rows}


def _values_before(
    conn: Connection, column: int, first_us: Mapping[int, int], reach_us: int
) -> dict[int, Value]:
    if not first_us:
        return {}
    values = {
        "streams": list(first_us),
        "before": [to_datetime(us) for us in first_us.values()],
        "reach_us": reach_us,
        "lowest": to_datetime(min(first_us.values()) - reach_us),
        "highest": to_datetime(max(first_us.values())),
    }
    rows = conn.execute(_query("stored_before", column), values).fetchall()
    return {stream: (ts_us, value) for stream, ts_us, value in rows}


def _query(name: str, column: int) -> sql.Composed:
    text = load("alerts", "evaluation")[name].decode()
    return sql.SQL(text).format(column=sql.Identifier(f"v{column}"))


def _own(rows: Rows, column: int, streams: list[int]) -> tuple[Int32s, Int64s]:
    """Return the batch's rows of some streams with a value in the column."""
    mine = ~np.isnan(rows.values[:, column]) & np.isin(rows.stream_id, streams)
    return rows.stream_id[mine], rows.ts_us[mine]


def _last_us(own_id: Int32s, own_us: Int64s, stream_id: int) -> int:
    return int(own_us[np.searchsorted(own_id, stream_id, "right") - 1])
