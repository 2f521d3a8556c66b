"""Deleting readings, purging datasources, folding the log and retention: totals stay exact."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import psycopg
import pytest

from twin import deletion
from twin.clock import DAY_US, SECOND_US, to_datetime, to_us
from twin.db.capabilities import Home
from twin.db.migrate import migrate
from twin.db.partitions import Partitions
from twin.db.pool import AsyncConnection, conninfo
from twin.db.spans import spans
from twin.deletion import delete_readings
from twin.housekeeping import fold, pages_of, purge_deleted
from twin.retention import Expiry, apply_retention, expiry

NOW_US = to_us(datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC))
HOUR_US = 3600 * SECOND_US


class Plant:
    """A migrated database, and what a test puts into it."""

    def __init__(self, home: Home, url: str, conn: AsyncConnection) -> None:
        self.home, self.url, self.conn = home, url, conn

    async def datasource(self, devices: int = 1, pages: int = 1, **columns: object) -> int:
        org = await self.one(
            "INSERT INTO organisations (tenant_id, name) VALUES (%s, 'x') RETURNING org_id",
            f"org_{uuid4().hex}",
        )
        no = await self.one(
            "INSERT INTO datasources (id, org_id, environment, name, retention_days, deleted_at)"
            " VALUES (%s, %s, 'live', 'x', %s, %s) RETURNING datasource_no",
            uuid4(),
            org,
            columns.get("retention_days"),
            columns.get("deleted_at"),
        )
        for device in range(devices):
            for page in range(pages):
                await self.conn.execute(
                    "INSERT INTO streams (datasource_no, device, page) VALUES (%s, %s, %s)",
                    [no, f"d{device}", page],
                )
        return no

    async def fill(self, no: int, times_us: list[int]) -> None:
        """Give every stream a row with v0 = 1, v3 = 2 at each time, and log the readings."""
        if self.home is Home.NATIVE:
            with psycopg.connect(self.url, autocommit=True) as conn:
                Partitions(1000).ensure(conn, np.array(times_us))
        times = [to_datetime(ts_us) for ts_us in times_us]
        await self.conn.execute(
            "INSERT INTO readings (stream_id, ts, v0, v3) SELECT stream_id, ts, 1, 2"
            " FROM streams, unnest(%s::timestamptz[]) AS ts WHERE datasource_no = %s",
            [times, no],
        )
        await self.conn.execute(
            "INSERT INTO ingest_log (datasource_no, readings, first_ts, last_ts, slots)"
            " SELECT %s, %s * count(*), %s, %s, '{0,3}' FROM streams"
            " WHERE datasource_no = %s AND page = 0",
            [no, len(times), min(times), max(times), no],
        )

    async def one(self, query: str, *params: object) -> int:
        row = await (await self.conn.execute(query.encode(), params)).fetchone()
        assert row is not None
        value: int = row[0]
        return value

    async def stored(self, no: int) -> int:
        return await self.one(
            "SELECT count(*) FROM readings JOIN streams USING (stream_id)"
            " WHERE datasource_no = %s AND page = 0",
            no,
        )

    async def total(self, no: int) -> int:
        return await self.one(
            "SELECT coalesce((SELECT readings FROM datasource_totals WHERE datasource_no = %s), 0)"
            " + coalesce((SELECT sum(readings) FROM ingest_log WHERE datasource_no = %s), 0)"
            "::bigint",
            no,
            no,
        )

    async def delete(self, no: int, from_us: int, to_us: int, slot: int | None = None) -> int:
        pages = await pages_of(self.conn, no)
        return await delete_readings(self.conn, self.home, pages, from_us, to_us, slot)


@pytest.fixture
def on_plant(database_url: str) -> Callable[[Callable[[Plant], Awaitable[None]]], None]:
    """Run an async test on a new plant."""
    home = migrate(database_url).home
    url = conninfo(database_url)
    if home is Home.NATIVE:
        with psycopg.connect(url) as conn:
            conn.execute("UPDATE readings_partitioning SET daily_from = '2026-01-01'")

    @asynccontextmanager
    async def plant() -> AsyncIterator[Plant]:
        async with await AsyncConnection.connect(url, autocommit=True) as conn:
            yield Plant(home, url, conn)

    async def run(story: Callable[[Plant], Awaitable[None]]) -> None:
        async with plant() as it:
            await story(it)

    return lambda story: asyncio.run(run(story))


OnPlant = Callable[[Callable[[Plant], Awaitable[None]]], None]


def every(step_us: int, from_us: int, to_us: int) -> list[int]:
    return list(range(from_us, to_us, step_us))


@pytest.mark.parametrize("slice_rows", [7, 20_000])
def test_a_range_goes_with_all_pages_and_the_rest_stays(
    on_plant: OnPlant, slice_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "SLICE_ROWS", slice_rows)
    monkeypatch.setattr(deletion, "GROUP_STREAMS", 2)

    async def story(plant: Plant) -> None:
        no = await plant.datasource(devices=3, pages=2)
        other = await plant.datasource()
        times = every(10 * 60 * SECOND_US, NOW_US - DAY_US, NOW_US)
        await plant.fill(no, times)
        await plant.fill(other, times)
        from_us, to_us = times[10], times[100]
        assert await plant.delete(no, from_us, to_us) == 90 * 3
        assert await plant.stored(no) == await plant.total(no) == (len(times) - 90) * 3
        assert await plant.stored(other) == await plant.total(other) == len(times)
        assert await plant.one("SELECT count(*) FROM readings") == (len(times) - 90) * 6 + len(
            times
        )
        hours = len({ts_us // HOUR_US for ts_us in times[10:100]})
        dirty = await plant.one("SELECT count(DISTINCT (stream_id, hour)) FROM rollup_dirty")
        assert dirty == hours * 6
        assert await plant.delete(no, from_us, to_us) == 0

    on_plant(story)


@pytest.mark.parametrize("slice_rows", [7, 20_000])
def test_emptying_a_slot_keeps_the_readings(
    on_plant: OnPlant, slice_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "SLICE_ROWS", slice_rows)

    async def story(plant: Plant) -> None:
        no = await plant.datasource(devices=2, pages=2)
        times = every(3600 * SECOND_US, NOW_US - DAY_US, NOW_US)
        await plant.fill(no, times)
        assert await plant.delete(no, times[4], times[20], slot=19) == 16 * 2
        counted = "SELECT count({}) FROM readings JOIN streams USING (stream_id) WHERE page = {}"
        assert await plant.one(counted.format("v3", 1)) == (len(times) - 16) * 2
        assert await plant.one(counted.format("v3", 0)) == len(times) * 2
        assert await plant.one(counted.format("v0", 1)) == len(times) * 2
        assert await plant.stored(no) == await plant.total(no) == len(times) * 2
        assert await plant.one("SELECT count(DISTINCT (stream_id, hour)) FROM rollup_dirty") == 32
        assert await plant.delete(no, times[4], times[20], slot=19) == 0

    on_plant(story)


@pytest.mark.parametrize("slice_rows", [7, 20_000])
def test_a_reading_that_loses_its_last_value_goes(
    on_plant: OnPlant, slice_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "SLICE_ROWS", slice_rows)

    async def story(plant: Plant) -> None:
        no, other = await plant.datasource(devices=2, pages=2), await plant.datasource()
        times = every(3600 * SECOND_US, NOW_US - DAY_US, NOW_US)
        await plant.fill(no, times)
        await plant.fill(other, times)
        if plant.home is Home.COMMUNITY:
            await plant.conn.execute("SELECT compress_chunk(c) FROM show_chunks('readings') AS c")
        for slot in (3, 16, 0):  # of what is in 0, 3, 16 and 19
            assert await plant.delete(no, times[4], times[20], slot) == 16 * 2
            assert await plant.stored(no) == await plant.total(no) == len(times) * 2
        assert await plant.delete(no, times[4], times[12], 19) == 8 * 2
        assert await plant.stored(no) == await plant.total(no) == (len(times) - 8) * 2
        rows = (
            "SELECT count(*) FROM readings JOIN streams USING (stream_id) WHERE datasource_no = %s"
        )
        assert await plant.one(rows, no) == (len(times) - 8) * 4
        assert await plant.one("SELECT count(DISTINCT (stream_id, hour)) FROM rollup_dirty") == 64
        assert await plant.delete(no, times[4], times[20], 19) == 8 * 2
        assert await plant.stored(no) == await plant.total(no) == (len(times) - 16) * 2
        assert await plant.stored(other) == await plant.total(other) == len(times)

    on_plant(story)


@pytest.mark.parametrize("page", [0, 1])
def test_a_value_that_is_added_meanwhile_keeps_its_reading(on_plant: OnPlant, page: int) -> None:
    async def story(plant: Plant) -> None:
        no = await plant.datasource(pages=3)
        await plant.fill(no, [NOW_US])
        await plant.conn.execute("UPDATE readings SET v3 = NULL")
        await plant.delete(no, 0, NOW_US + 1, 16 * (1 - page))
        await plant.delete(no, 0, NOW_US + 1, 32)
        adds = (
            "INSERT INTO readings (stream_id, ts, v5) SELECT stream_id, %s, nullif(page, 0)"
            " FROM streams WHERE datasource_no = %s AND page IN (0, 2) ORDER BY 1"
            " ON CONFLICT (stream_id, ts) DO UPDATE SET v5 = excluded.v5 WHERE excluded.v5 > 0"
        )
        async with (
            await AsyncConnection.connect(plant.url) as writer,
            await AsyncConnection.connect(plant.url, autocommit=True) as watch,
        ):
            await writer.execute(adds, [to_datetime(NOW_US), no])
            deletion = asyncio.create_task(plant.delete(no, 0, NOW_US + 1, 16 * page))
            waits = "SELECT FROM pg_locks WHERE pid = %s AND NOT granted"
            pid = plant.conn.info.backend_pid
            while await (await watch.execute(waits, [pid])).fetchone() is None:
                await asyncio.sleep(0.01)
            await writer.commit()
        assert await deletion == 1
        assert await plant.stored(no) == await plant.total(no) == 1
        assert await plant.one("SELECT count(v5) FROM readings") == 1
        assert await plant.delete(no, 0, NOW_US + 1, 37) == 1
        assert await plant.one("SELECT count(*) FROM readings") == await plant.total(no) == 0

    on_plant(story)


def test_a_full_day_can_be_deleted_from_also_in_the_columnstore(on_plant: OnPlant) -> None:
    async def story(plant: Plant) -> None:
        no = await plant.datasource(devices=4)
        times = every(SECOND_US, NOW_US - 3 * HOUR_US, NOW_US)
        await plant.fill(no, times)
        if plant.home is Home.COMMUNITY:
            await plant.conn.execute("SELECT compress_chunk(c) FROM show_chunks('readings') AS c")
            few = "SET timescaledb.max_tuples_decompressed_per_dml_transaction = 10"
            await plant.conn.execute(few)
        assert await plant.delete(no, times[1000], times[9000]) == 8000 * 4
        assert await plant.stored(no) == await plant.total(no) == (len(times) - 8000) * 4
        assert await plant.delete(no, times[0], times[1000], slot=3) == 4000

    on_plant(story)


def test_folding_keeps_totals_exact_and_dates_the_keys(on_plant: OnPlant) -> None:
    async def story(plant: Plant) -> None:
        no, gone = await plant.datasource(), await plant.datasource()
        await plant.conn.execute(
            "INSERT INTO data_keys (datasource_no, key, slot) VALUES (%s, 'a', 0), (%s, 'b', 1)",
            [no, no],
        )
        for day in (3, 1, 2):
            await plant.fill(no, every(HOUR_US, NOW_US - day * DAY_US, NOW_US - (day - 1) * DAY_US))
        await plant.delete(no, NOW_US - DAY_US, NOW_US)
        await plant.fill(gone, [NOW_US])
        await plant.conn.execute("DELETE FROM datasources WHERE datasource_no = %s", [gone])
        while await fold(plant.conn, 2):
            assert await plant.total(no) == 48
        assert await plant.one("SELECT count(*) FROM ingest_log") == 0
        assert await plant.total(no) == await plant.stored(no) == 48
        seen = await plant.conn.execute(
            "SELECT key, first_seen, last_seen FROM data_keys ORDER BY key"
        )
        assert await seen.fetchall() == [
            ("a", to_datetime(NOW_US - 3 * DAY_US), to_datetime(NOW_US - HOUR_US)),
            ("b", None, None),
        ]

    on_plant(story)


def test_a_deleted_datasource_is_purged_after_its_grace(on_plant: OnPlant) -> None:
    async def story(plant: Plant) -> None:
        no = await plant.datasource(devices=2, pages=2, deleted_at=to_datetime(NOW_US))
        kept = await plant.datasource()
        await plant.fill(no, every(HOUR_US, NOW_US - 3 * DAY_US, NOW_US + DAY_US))
        await plant.fill(kept, [NOW_US])
        assert await purge_deleted(plant.conn, plant.home, NOW_US + 10 * SECOND_US) == 0
        assert await plant.stored(no) > 0
        while not await purge_deleted(plant.conn, plant.home, NOW_US + 11 * SECOND_US):
            assert await plant.stored(no) == await plant.total(no)
        assert await plant.one("SELECT count(*) FROM readings") == 1
        assert await plant.one("SELECT count(*) FROM streams") == 1
        assert await plant.one("SELECT sum(readings)::bigint FROM ingest_log") == 1
        assert await plant.one("SELECT min(datasource_no) FROM datasources") == kept

    on_plant(story)


DAY = NOW_US // DAY_US * DAY_US
"""Today's midnight."""


@pytest.mark.parametrize(
    ("retentions", "expected"),
    [
        ({}, Expiry(0, {})),
        ({1: None}, Expiry(0, {})),
        ({1: None, 2: 3}, Expiry(0, {2: NOW_US - 3 * DAY_US})),
        ({1: 3}, Expiry(DAY - 3 * DAY_US, {1: DAY - 3 * DAY_US})),
        ({1: 3, 2: 1}, Expiry(DAY - 3 * DAY_US, {1: DAY - 3 * DAY_US, 2: NOW_US - DAY_US})),
    ],
)
def test_what_has_expired(retentions: dict[int, int | None], expected: Expiry) -> None:
    assert expiry(retentions, NOW_US) == expected


@pytest.mark.parametrize("keeper", [True, False])
def test_retention_removes_what_is_too_old_and_nothing_else(
    on_plant: OnPlant, keeper: bool
) -> None:
    async def story(plant: Plant) -> None:
        short = await plant.datasource(devices=2, pages=2, retention_days=2)
        long = await plant.datasource(retention_days=5)
        times = every(HOUR_US, NOW_US - 9 * DAY_US, NOW_US)
        for no in (short, long):
            await plant.fill(no, times)
        if keeper:
            forever = await plant.datasource()
            await plant.fill(forever, times)
        before = await spans(plant.conn, plant.home, 0, NOW_US)
        assert await apply_retention(plant.conn, plant.home, NOW_US) == {short, long}
        assert await apply_retention(plant.conn, plant.home, NOW_US) == set()
        assert await plant.stored(short) == await plant.total(short) == 2 * 48
        assert await plant.total(long) == await plant.stored(long)
        after = await spans(plant.conn, plant.home, 0, NOW_US)
        if keeper:
            assert await plant.stored(long) == 5 * 24
            assert await plant.stored(forever) == await plant.total(forever) == len(times)
            assert after == before
        else:
            cutoff_us = DAY - 5 * DAY_US
            assert await plant.stored(long) == sum(ts >= cutoff_us for ts in times)
            assert after == [span for span in before if span.to_us > cutoff_us]
            assert len(after) < len(before)
        dropped = await plant.one(
            "SELECT count(*) FROM rollup_dirty WHERE hour = %s",
            to_datetime((NOW_US - 9 * DAY_US) // HOUR_US * HOUR_US),
        )
        assert dropped == 4 + 1

    on_plant(story)


def test_a_day_in_use_is_not_waited_for(on_plant: OnPlant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.retention.LOCK_TIMEOUT_MS", 20)

    async def story(plant: Plant) -> None:
        no = await plant.datasource(retention_days=1)
        await plant.fill(no, [NOW_US - 9 * DAY_US])
        async with await AsyncConnection.connect(plant.url) as writer:
            await writer.execute("INSERT INTO readings SELECT 99, ts FROM readings")
            await apply_retention(plant.conn, plant.home, NOW_US)
            assert await plant.total(no) == await plant.stored(no) == 0
            assert len(await spans(plant.conn, plant.home, 0, NOW_US)) == 1
        await apply_retention(plant.conn, plant.home, NOW_US)
        assert await spans(plant.conn, plant.home, 0, NOW_US) == []

    on_plant(story)
