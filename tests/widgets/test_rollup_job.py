"""The rollups, but for dirty hours, equal the readings: whatever is written, deleted or cut off."""

import asyncio
import random
import threading
import time
from contextlib import AbstractContextManager, suppress
from typing import Any

import pytest

from tests.widgets.rolled import (
    BASE_US,
    MINUTE_US,
    SLOTS,
    Row,
    Store,
    assert_exact,
    write,
    write_open,
)
from twin.clock import DAY_US, SECOND_US
from twin.db.capabilities import Home
from twin.db.pool import AsyncConnection, Connection
from twin.db.spans import Span, spans
from twin.deletion import delete_readings
from twin.retention import apply_retention
from twin.rollups import HOUR_US, begin
from widgets import rollup_job
from widgets.rollup_job import (
    Step,
    close_slice,
    move_writers_mark,
    plan_steps,
    refresh,
    slice_end,
)


def some_rows(rng: random.Random, now_us: int) -> list[Row]:
    """Readings of three streams, mostly recent, some hours late, each with some values absent."""
    rows: dict[tuple[int, int], Row] = {}
    for _ in range(rng.randint(1, 30)):
        age_us = int(rng.expovariate(1 / (20 * MINUTE_US))) - MINUTE_US
        ts_us = (now_us - age_us) // (7 * SECOND_US) * (7 * SECOND_US)  # so that some collide
        stream = rng.randint(1, 3)
        values = tuple(rng.choice((None, float(rng.randint(-50, 50)))) for _ in SLOTS)
        rows[stream, ts_us] = (stream, ts_us, values)
    return list(rows.values())


class CutOff(Exception):
    """The process ends here."""


class CutConnection:
    """A connection over which only so many more statements go."""

    def __init__(self, conn: AsyncConnection, statements: int) -> None:
        self._conn = conn
        self._left = statements

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    async def execute(self, *args: Any) -> Any:
        if not self._left:
            raise CutOff
        self._left -= 1
        return await self._conn.execute(*args)


@pytest.fixture
def store(database_url: str) -> Store:
    return Store(database_url)


@pytest.mark.parametrize("seed", range(3))
def test_exact_through_random_writes_deletions_and_cut_off_refreshes(
    store: Store, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_job, "MARK_LOCK_TIMEOUT_MS", 20)
    rng = random.Random(seed)
    compared = asyncio.run(_random_history(store, rng))
    assert compared > 100


async def _random_history(store: Store, rng: random.Random) -> int:
    now_us = BASE_US + 5 * MINUTE_US
    compared = 0
    with store.connect() as conn, store.connect() as slow:
        store.make_partitions(conn, [BASE_US + day * DAY_US for day in range(-2, 3)])
        async with await store.connect_async() as work:
            open_writer: AbstractContextManager[Any] | None = None
            for _ in range(60):
                match rng.choice(("write", "write", "slow", "delete", "empty", "refresh", "cut")):
                    case "write":
                        if open_writer is None:  # or it would wait for the open one's rows
                            write(conn, some_rows(rng, now_us))
                    case "slow" if open_writer is None:
                        open_writer = slow.transaction()
                        open_writer.__enter__()
                        write_open(slow, some_rows(rng, now_us))
                    case "slow" if open_writer is not None:
                        open_writer.__exit__(None, None, None)
                        open_writer = None
                    case "delete" | "empty" as how:
                        if open_writer is None:
                            until_us = now_us - rng.randint(0, 60) * MINUTE_US
                            from_us = until_us - rng.randint(1, 40) * MINUTE_US
                            streams = {0: rng.sample((1, 2, 3), rng.randint(1, 3))}
                            slot = None if how == "delete" else rng.choice(SLOTS)
                            await delete_readings(
                                work, store.home, streams, from_us, until_us, slot
                            )
                    case "refresh":
                        await refresh(work, store.home, now_us)
                    case "cut":
                        cut: Any = CutConnection(work, rng.randint(1, 20))
                        with suppress(CutOff):
                            await refresh(cut, store.home, now_us)
                now_us += rng.randint(0, 8) * MINUTE_US
                compared += assert_exact(conn)
            if open_writer is not None:
                open_writer.__exit__(None, None, None)
            await refresh(work, store.home, now_us + 30 * MINUTE_US)
            assert conn.execute("SELECT count(*) FROM rollup_dirty").fetchone() == (0,)
            return compared + assert_exact(conn)


def test_exact_in_every_snapshot_while_writers_and_refresh_race(store: Store) -> None:
    clock_us = [BASE_US + 5 * MINUTE_US]
    stop = threading.Event()
    failures: list[BaseException] = []

    def guarded(work: Any) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as exc:  # a thread's failure is the test's
                failures.append(exc)
                stop.set()

        return threading.Thread(target=run)

    def writer(stream: int) -> None:
        rng = random.Random(stream)
        with store.connect() as conn:
            while not stop.is_set():
                rows = [(stream, *row[1:]) for row in some_rows(rng, clock_us[0])]
                unique = {row[:2]: row for row in rows}
                write(conn, list(unique.values()), hold_s=rng.random() * 0.05)

    def refresher() -> None:
        async def loop() -> None:
            async with await store.connect_async() as conn:
                while not stop.is_set():
                    await refresh(conn, store.home, clock_us[0])
                    clock_us[0] += 3 * MINUTE_US

        asyncio.run(loop())

    with store.connect() as conn:
        store.make_partitions(conn, [BASE_US + day * 24 * HOUR_US for day in range(-40, 41)])
        threads = [guarded(lambda s=s: writer(s)) for s in (1, 2, 3)] + [guarded(refresher)]
        for thread in threads:
            thread.start()
        enough, deadline = time.monotonic() + 4, time.monotonic() + 90
        compared = 0
        while not stop.is_set() and time.monotonic() < (enough if compared > 100 else deadline):
            compared += assert_exact(conn)
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert compared > 100


def test_an_import_of_old_recordings_becomes_clean_in_bounded_steps(store: Store) -> None:
    start_us = BASE_US - 12 * 365 * 24 * HOUR_US
    rows: list[Row] = [
        (1, start_us + i * 300 * SECOND_US, (float(i), None, 1.0)) for i in range(2000)
    ]

    async def dirty_hours(work: AsyncConnection) -> set[int]:
        cursor = await work.execute("SELECT extract(epoch FROM hour) / 3600 FROM rollup_dirty")
        return {int(row[0]) for row in await cursor.fetchall()}

    async def clean() -> None:
        async with await store.connect_async() as work:
            assert await dirty_hours(work) == {ts // HOUR_US for _, ts, _ in rows}
            await refresh(work, store.home, BASE_US + HOUR_US)
            assert await dirty_hours(work) == set()

    with store.connect() as conn:
        store.make_partitions(conn, [row[1] for row in rows])
        write(conn, rows)
        asyncio.run(clean())
        assert assert_exact(conn) > 2000


def test_exact_after_a_day_was_dropped_whole(store: Store) -> None:
    rows: list[Row] = [
        (stream, BASE_US - hour * HOUR_US, (1.0, None, float(hour)))
        for stream in (1, 2)
        for hour in range(1, 72)
    ]

    async def age() -> None:
        async with await store.connect_async() as work:
            await refresh(work, store.home, BASE_US + HOUR_US)
            await apply_retention(work, store.home, BASE_US + 10 * 24 * HOUR_US)
            assert await spans(work, store.home, 0, BASE_US + HOUR_US) == []
            await refresh(work, store.home, BASE_US + 10 * 24 * HOUR_US)

    with store.connect() as conn:
        conn.execute("INSERT INTO organisations (tenant_id, name) VALUES ('org_1', 'x')")
        conn.execute(
            "INSERT INTO datasources (id, org_id, environment, name, retention_days)"
            " VALUES (gen_random_uuid(), 1, 'live', 'x', 2)"
        )
        store.make_partitions(conn, [row[1] for row in rows])
        write(conn, rows)
        asyncio.run(age())
        assert_exact(conn)
        for relation in ("rollup_1m", "rollup_5m", "rollup_15m", "rollup_1h"):
            assert conn.execute(f"SELECT count(*) FROM {relation}").fetchone() == (0,)


def test_exact_after_late_rows_in_a_full_day_also_in_the_columnstore(store: Store) -> None:
    rows: list[Row] = [
        (stream, BASE_US - second * SECOND_US, (1.0, None, float(second)))
        for stream in (1, 2)
        for second in range(1, 3000)
    ]

    async def clean() -> None:
        async with await store.connect_async() as work:
            await refresh(work, store.home, BASE_US + HOUR_US)

    with store.connect() as conn:
        store.make_partitions(conn, [BASE_US])
        write(conn, rows)
        asyncio.run(clean())
        if store.home is Home.COMMUNITY:
            for relation in ("readings", "rollup_1m", "rollup_15m"):
                conn.execute(f"SELECT compress_chunk(c) FROM show_chunks('{relation}') AS c")
            few = "timescaledb.max_tuples_decompressed_per_dml_transaction = 10"
            conn.execute(f'ALTER DATABASE "{conn.info.dbname}" SET {few}')  # for `work`
        write(
            conn, [(1, BASE_US - 600 * SECOND_US, (None, 5.0, 5.0)), (2, BASE_US - 1, (2.0,) * 3)]
        )
        assert_exact(conn)
        asyncio.run(clean())
        assert conn.execute("SELECT count(*) FROM rollup_dirty").fetchone() == (0,)
        assert assert_exact(conn) > 100


def test_a_writer_that_takes_long_keeps_the_mark_where_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_job, "MARK_LOCK_TIMEOUT_MS", 20)

    async def refreshed() -> bool:
        async with await store.connect_async() as work:
            await move_writers_mark(work, BASE_US + HOUR_US)
            return await close_slice(work, store.home)

    with store.connect() as slow:
        store.make_partitions(slow, [BASE_US])
        with slow.transaction():
            begin(slow)
            assert not asyncio.run(refreshed())
    assert asyncio.run(refreshed())


def test_cleaning_stops_after_its_time_and_goes_on_in_the_next_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollup_job, "CLEAN_S", 0)
    rows: list[Row] = [(1, BASE_US - day * 24 * HOUR_US, (1.0, None, None)) for day in (1, 5, 9)]

    async def run(conn: Connection) -> None:
        # One session: the lock of one that has just ended may still stand.
        async with await store.connect_async() as work:
            for left in (2, 1, 0):
                await refresh(work, store.home, BASE_US)
                dirty = conn.execute("SELECT count(*) FROM rollup_dirty").fetchone()
                assert dirty == (left,)
                assert_exact(conn)

    with store.connect() as conn:
        store.make_partitions(conn, [row[1] for row in rows])
        write(conn, rows)
        asyncio.run(run(conn))


def test_a_device_that_is_always_late_does_not_keep_the_refresh_busy(store: Store) -> None:
    async def run(conn: Connection) -> None:
        class WithLateRows(CutConnection):
            async def execute(self, *args: Any) -> Any:
                write(conn, [(1, BASE_US - HOUR_US, (1.0, None, None))])
                return await super().execute(*args)

        async with await store.connect_async() as work:
            late: Any = WithLateRows(work, 200)
            await refresh(late, store.home, BASE_US)

    with store.connect() as conn:
        store.make_partitions(conn, [BASE_US])
        asyncio.run(run(conn))
        assert conn.execute("SELECT count(*) > 0 FROM rollup_dirty").fetchone() == (True,)
        assert_exact(conn)


def test_time_without_readings_is_passed_in_one_step() -> None:
    hour, quarter = rollup_job.HOUR_US, rollup_job.QUARTER_US
    held = [Span("", "a", 100 * hour, 102 * hour), Span("", "b", 5000 * hour + 1, 5001 * hour)]
    assert slice_end(0, 9000 * hour, held) == (100 * hour, False)
    assert slice_end(100 * hour, 9000 * hour, held) == (101 * hour, True)
    assert slice_end(101 * hour + quarter, 9000 * hour, held) == (102 * hour + quarter, True)
    assert slice_end(102 * hour, 9000 * hour, held) == (5000 * hour, False)
    assert slice_end(5000 * hour, 9000 * hour, held) == (5001 * hour, True)
    assert slice_end(5001 * hour, 9000 * hour, held) == (9000 * hour, False)
    assert slice_end(0, quarter, held) == (quarter, False)
    assert slice_end(0, 9000 * hour, None) == (hour, True)


def test_steps_are_bounded_and_keep_a_pair_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup_job, "STEP_PAIRS", 2)
    entries = [(1, 5, 100), (2, 5, 100), (3, 6, 100), (4, 7, 100), (5, 5, 130)]
    assert plan_steps(entries, lambda first, hour: hour - first < 24) == [
        Step([1, 2, 3], [(5, 100), (6, 100)]),
        Step([4], [(7, 100)]),
        Step([5], [(5, 130)]),
    ]
