"""A database with rollups, and what they should hold, worked out from its readings."""

import time
from collections import defaultdict
from typing import Any

import numpy as np
import psycopg

from twin.clock import DAY_US, SECOND_US, to_datetime, to_us
from twin.db.capabilities import Home
from twin.db.migrate import migrate
from twin.db.partitions import Partitions
from twin.db.pool import AsyncConnection, Connection, conninfo
from twin.rollups import HOUR_US, QUARTER_US, begin, fives_from_us, mark_dirty
from widgets.segments import FIVE_US

BASE_US = to_us(to_datetime(1_772_404_200 * SECOND_US))  # 2026-03-01 22:30: a day ends soon
MINUTE_US = 60 * SECOND_US
SLOTS = (0, 7, 15)

Row = tuple[int, int, tuple[float | None, ...]]
"""Stream, time and the values of SLOTS."""


class Store:
    """A migrated database with its marks at BASE_US."""

    def __init__(self, url: str) -> None:
        self.url = conninfo(url)
        self.home = migrate(url).home
        with self.connect() as conn:
            conn.execute(
                "UPDATE rollup_mark SET readers_us = %(b)s, writers_us = %(b)s", {"b": BASE_US}
            )
            if self.home is Home.NATIVE:
                conn.execute("UPDATE readings_partitioning SET daily_from = '2026-01-01'")

    def connect(self) -> Connection:
        return psycopg.connect(self.url, autocommit=True)

    async def connect_async(self) -> AsyncConnection:
        return await AsyncConnection.connect(self.url, autocommit=True)

    def make_partitions(self, conn: Connection, ts_us: list[int]) -> None:
        if self.home is Home.NATIVE:
            Partitions(1000).ensure(conn, np.array(ts_us))


def write(conn: Connection, rows: list[Row], hold_s: float = 0) -> None:
    with conn.transaction():
        write_open(conn, rows)
        time.sleep(hold_s)


def write_open(conn: Connection, rows: list[Row]) -> None:
    """What a writer does in its transaction."""
    mark_us = begin(conn)
    for stream, ts_us, values in sorted(rows, key=lambda row: row[:2]):
        conn.execute(
            "INSERT INTO readings (stream_id, ts, v0, v7, v15) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (stream_id, ts) DO UPDATE SET v0 = coalesce(excluded.v0, readings.v0),"
            " v7 = coalesce(excluded.v7, readings.v7), v15 = coalesce(excluded.v15, readings.v15)",
            [stream, to_datetime(ts_us), *values],
        )
    streams = np.array([row[0] for row in rows], np.int32)
    mark_dirty(conn, streams, np.array([row[1] for row in rows], np.int64), mark_us)


def aggregated(rows: list[Row], width_us: int) -> dict[tuple[int, int], list[Any]]:
    """What the rollups should hold: (stream, bucket) → rows, then six cells for each of SLOTS."""
    groups: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row[:2]):
        groups[row[0], row[1] // width_us * width_us].append(row)
    wanted = {}
    for key, members in groups.items():
        cells: list[Any] = [len(members)]
        for i in range(len(SLOTS)):
            values = [value for row in members if (value := row[2][i]) is not None]
            cells.append(len(values))
            if values:
                cells += [sum(values), min(values), max(values), values[0], values[-1]]
            else:
                cells += [None] * 5
        wanted[key] = cells
    return wanted


def assert_exact(conn: Connection) -> int:
    """Compare everything in one snapshot. Returns how many buckets could be compared."""
    cells = ", ".join(f"coalesce(n{i}, 0), s{i}, lo{i}, hi{i}, f{i}, l{i}" for i in SLOTS)
    compared = 0
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        raw = conn.execute("SELECT stream_id, ts, v0, v7, v15 FROM readings").fetchall()
        rows: list[Row] = [(r[0], to_us(r[1]), (r[2], r[3], r[4])) for r in raw]
        ((closed_us,),) = conn.execute("SELECT readers_us FROM rollup_mark").fetchall()
        dirty = {(s, to_us(h)) for s, h in conn.execute("SELECT stream_id, hour FROM rollup_dirty")}
        days_us = closed_us // DAY_US * DAY_US
        for relation, width_us, held_us, filled_us in (
            ("rollup_1m", MINUTE_US, 0, closed_us),
            ("rollup_5m", FIVE_US, fives_from_us(closed_us), closed_us),
            ("rollup_15m", QUARTER_US, 0, closed_us),
            ("rollup_1h", HOUR_US, 0, days_us),
        ):
            found = {
                (r[0], to_us(r[1])): list(r[2:])
                for r in conn.execute(f"SELECT stream_id, bucket, rows, {cells} FROM {relation}")
            }

            def trusted(
                buckets: dict[tuple[int, int], list[Any]], held_us: int, filled_us: int
            ) -> dict[tuple[int, int], list[Any]]:
                return {
                    (stream, bucket): cells
                    for (stream, bucket), cells in buckets.items()
                    if held_us <= bucket < filled_us
                    and (stream, bucket // HOUR_US * HOUR_US) not in dirty
                }

            wanted = trusted(aggregated(rows, width_us), held_us, filled_us)
            assert trusted(found, held_us, filled_us) == wanted
            compared += len(wanted)
    return compared
