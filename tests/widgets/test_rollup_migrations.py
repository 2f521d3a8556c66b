"""What a migration makes of the rollups is what the job would have made."""

import asyncio
from importlib import resources

from tests.widgets.rolled import BASE_US, MINUTE_US, Row, Store, assert_exact, write
from twin.clock import DAY_US, to_datetime
from twin.db.migrate import migrations
from twin.rollups import HOUR_US
from widgets.rollup_job import refresh
from widgets.segments import FIVE_US

FIVES = "twin.db.migrations/0022_fives_by_quarter.sql"
"""Before it, fives were made of whole hours only."""


def roll_up(store: Store) -> None:
    async def run() -> None:
        async with await store.connect_async() as work:
            await refresh(work, store.home, BASE_US + HOUR_US)

    asyncio.run(run())


def test_fives_of_the_hour_that_is_not_over(database_url: str) -> None:
    store = Store(database_url)
    rows: list[Row] = [
        (stream, BASE_US - minute * MINUTE_US, (float(minute), None, None))
        for stream in (1, 2)
        for minute in range(-50, 100)
    ]
    package, _, name = FIVES.partition("/")
    migration = (resources.files(package) / name).read_text()

    with store.connect() as conn:
        store.make_partitions(conn, [row[1] for row in rows])
        write(conn, rows)
        roll_up(store)
        ((closed_us,),) = conn.execute("SELECT readers_us FROM rollup_mark").fetchall()
        hour_us = closed_us // HOUR_US * HOUR_US
        assert hour_us < closed_us
        gone = conn.execute("DELETE FROM rollup_5m WHERE bucket >= %s", [to_datetime(hour_us)])
        assert gone.rowcount == 2 * (closed_us - hour_us) // FIVE_US
        conn.execute(migration.encode())
        assert assert_exact(conn) > 0


def test_rollups_that_are_begun_again(database_url: str) -> None:
    store = Store(database_url)
    days = [BASE_US - days * DAY_US for days in (40, 3, 0)]
    rows: list[Row] = [
        (1, day_us + minute * MINUTE_US, (float(minute), None, -1.0))
        for day_us in days
        for minute in range(-100, 50)
    ]
    tables = b"rollup_1m, rollup_5m, rollup_15m, rollup_1h"
    emptied = b"TRUNCATE %s; UPDATE rollup_mark SET readers_us = 0" % tables
    again = {one.version: one.text.encode() for one in migrations(store.home)}.get(23, emptied)

    with store.connect() as conn:
        store.make_partitions(conn, [row[1] for row in rows])
        write(conn, rows)
        roll_up(store)
        filled = assert_exact(conn)
        conn.execute(again)
        assert conn.execute("SELECT readers_us FROM rollup_mark").fetchone() == (0,)
        assert assert_exact(conn) == 0
        roll_up(store)
        assert assert_exact(conn) == filled > 0
