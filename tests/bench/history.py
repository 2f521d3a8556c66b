"""A history to ask about, put into the database in the shape in which ingest stores it.

Rows go in by SQL in the order of time, with the marks that ingest would leave, and the server's own job
makes the rollups of them. All 1,000 devices have 10 keys and a reading a minute for a day; some have one
a second, one has a reading every 10 s for a year, and the last half hour holds one a second of every
device: that is how the newest rows lie when a whole plant sends.
"""

import time
from dataclasses import dataclass

import numpy as np
import psycopg

from tests.bench import plant
from tests.bench.home import Home
from tests.support.server import Datasource
from twin.db.partitions import Partitions
from twin.db.pool import conninfo
from widgets.rollup_job import REFRESH_LOCK, VIEWS

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
MONTH_S = 30 * DAY_S
BUSY_S = HOUR_S // 2
"""How long all devices have been sending once a second."""
WAIT_S = 900.0
LEVELS = (60, 4, 120, 2, 1480, 12, 400, 5, 70, 45)
MAX_PARTITIONS = 5000

# In a writer's transaction: the mark first, then rows, then the hours below the mark.
FILL = """
WITH rows AS (
    INSERT INTO readings (stream_id, ts, {columns})
    SELECT s.id, t.ts, {values}
    FROM generate_series(%(from)s::bigint, %(to)s::bigint - 1, %(step)s) AS u(at)
    CROSS JOIN LATERAL (SELECT to_timestamp(u.at) AS ts) AS t
    CROSS JOIN unnest(%(streams)s::int[]) AS s(id)
    ON CONFLICT DO NOTHING
), hours AS (
    INSERT INTO rollup_dirty (stream_id, hour)
    SELECT s.id, to_timestamp(h.at)
    FROM generate_series(%(from)s / 3600 * 3600, %(to)s - 1, 3600) AS h(at)
    CROSS JOIN unnest(%(streams)s::int[]) AS s(id)
    WHERE h.at < (SELECT writers_us FROM rollup_mark) / 1000000
)
SELECT 1
"""


@dataclass
class History:
    """A datasource with a history; `day` and `year` name devices that have one."""

    made: Datasource
    day: list[str]
    year: str
    year_days: int


def fill(home: Home, name: str, day_devices: int, year_days: int) -> History:
    """Make a datasource with its history, and wait for its rollups.

    `year_days`: how long the year is; 0: no year, and nothing of the other devices either.
    """
    is_whole = year_days > 0
    made = home.plant_datasource(name)
    streams, columns = home.slots(made)
    names = plant.device_names()
    now_s = int(time.time())
    history = History(made, names[:day_devices], names[day_devices], year_days)
    with psycopg.connect(conninfo(home.database_url), autocommit=True) as conn:
        conn.execute(b"SELECT pg_advisory_lock(%s)", [REFRESH_LOCK])  # the job waits for all of it
        if not is_timescale(home):
            days = np.arange(now_s - (year_days + 2) * DAY_S, now_s + DAY_S, DAY_S)
            Partitions(MAX_PARTITIONS).ensure(conn, days.astype(np.int64) * 1_000_000)
        others = streams[day_devices + 1 :] if is_whole else []
        if is_whole:
            for at_s in range(now_s - year_days * DAY_S, now_s, 5 * DAY_S):
                put(conn, columns, [streams[day_devices]], at_s, min(at_s + 5 * DAY_S, now_s), 10)
        busy_s = now_s - BUSY_S
        for at_s in range(now_s - DAY_S - HOUR_S, busy_s, HOUR_S):
            until_s = min(at_s + HOUR_S, busy_s)
            put(conn, columns, streams[:day_devices], at_s, until_s, 1)
            put(conn, columns, others, at_s, until_s, MINUTE_S)
        for at_s in range(busy_s, now_s, 5 * MINUTE_S):
            until_s = min(at_s + 5 * MINUTE_S, now_s)
            put(conn, columns, streams if is_whole else streams[:day_devices], at_s, until_s, 1)
        if is_community(home):
            _refresh_at_once(conn, now_s - (year_days + 2) * DAY_S, now_s)
    wait_for_rollups(home)
    _tidy(home)
    return history


def is_timescale(home: Home) -> bool:
    """Return whether the database is TimescaleDB."""
    return bool(home.rows("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"))


def is_community(home: Home) -> bool:
    """Return whether the rollups are continuous aggregates."""
    return bool(home.rows("SELECT 1 FROM home WHERE home = 'community'"))


def _refresh_at_once(conn: psycopg.Connection[tuple[object, ...]], from_s: int, to_s: int) -> None:
    """Refresh the continuous aggregates in long stretches: day by day, as the server's job does what
    comes late, a year takes it 15 minutes. The job then finds them done, and does the rest."""
    for view in VIEWS:
        for at_s in range(from_s, to_s, MONTH_S):
            span = (at_s // HOUR_S * HOUR_S, min(at_s + MONTH_S, to_s) // HOUR_S * HOUR_S)
            conn.execute(
                b"CALL refresh_continuous_aggregate(%s, to_timestamp(%s), to_timestamp(%s))",
                [view, *span],
            )


def extend(home: Home, history: History, devices: int | None = None) -> None:
    """Let the first devices (all) have sent until now what they would have since they were filled.

    It counts as late only here, so what that makes dirty is waited for.
    """
    streams, columns = home.slots(history.made)
    streams = streams[:devices]
    ((newest,),) = home.rows(
        "SELECT extract(epoch FROM max(ts))::bigint FROM readings WHERE stream_id = %s", streams[0]
    )
    with psycopg.connect(conninfo(home.database_url), autocommit=True) as conn:
        put(conn, columns, streams, newest, int(time.time()), 1)
    wait_for_rollups(home)


def wait_for_rollups(home: Home) -> None:
    """Return when no hour waits to be aggregated anew."""
    deadline = time.monotonic() + WAIT_S
    while home.rows("SELECT 1 FROM rollup_dirty LIMIT 1"):
        assert time.monotonic() < deadline, "the rollups were not refreshed in time"
        time.sleep(1)


def put(
    conn: psycopg.Connection[tuple[object, ...]],
    columns: list[int],
    streams: list[int],
    from_s: int,
    to_s: int,
    step_s: int,
) -> None:
    """Store a reading of each stream every `step_s` in [from, to), as a writer would."""
    statement = FILL.format(
        columns=", ".join(f"v{column}" for column in columns),
        values=", ".join(f"{level} * (1 + 0.05 * random())" for level in LEVELS),
    )
    with conn.transaction():
        conn.execute(b"SELECT ingest_begin()")
        conn.execute(
            statement.encode(),
            {"from": from_s, "to": to_s, "step": step_s, "streams": streams},
        )


def _tidy(home: Home) -> None:
    """Do what the database does by itself in the course of a day: statistics, column store."""
    jobs = []
    if is_timescale(home):
        jobs = home.rows(
            "SELECT job_id FROM timescaledb_information.jobs"
            " WHERE proc_name IN ('policy_compression', 'policy_columnstore')"
        )
    with psycopg.connect(conninfo(home.database_url), autocommit=True) as conn:
        for job in jobs:
            conn.execute(b"CALL run_job(%s)", job)
        conn.execute(b"VACUUM ANALYZE")
