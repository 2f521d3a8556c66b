"""Time partitions on a database without TimescaleDB."""

import threading
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import psycopg
import pytest

from twin.clock import DAY_US, to_datetime, to_us
from twin.db.capabilities import Home
from twin.db.migrate import migrations
from twin.db.partitions import (
    Partition,
    Partitions,
    TooManyPartitions,
    existing_names,
    make_ahead,
    partition_of,
)
from twin.db.pool import Connection, conninfo


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=UTC))


def day(text: str) -> int:
    return at(text) // DAY_US


DAILY_FROM = day("2026-11-20")


@pytest.mark.parametrize(
    ("of", "name", "begin", "end"),
    [
        ("2026-11-20", "readings_p20261120", "2026-11-20", "2026-11-21"),
        ("2027-02-28", "readings_p20270228", "2027-02-28", "2027-03-01"),
        ("2026-11-19", "readings_p202611", "2026-11-01", "2026-11-20"),
        ("2026-11-01", "readings_p202611", "2026-11-01", "2026-11-20"),
        ("2013-12-31", "readings_p201312", "2013-12-01", "2014-01-01"),
        ("2024-02-29", "readings_p202402", "2024-02-01", "2024-03-01"),
        ("1970-01-01", "readings_p197001", "1970-01-01", "1970-02-01"),
    ],
)
def test_partition_of_a_day(of: str, name: str, begin: str, end: str) -> None:
    assert partition_of(day(of), DAILY_FROM) == Partition(at(begin), at(end), name)


def test_partitions_meet_without_gap_or_overlap() -> None:
    made = sorted({partition_of(d, DAILY_FROM) for d in range(DAILY_FROM - 800, DAILY_FROM + 5)})
    assert all(a.to_us == b.from_us for a, b in pairwise(made))


def test_installation_on_the_first_of_a_month_has_no_rest_of_a_month() -> None:
    first = day("2026-11-01")
    assert partition_of(first, first).name == "readings_p20261101"
    assert partition_of(first - 1, first).to_us == first * DAY_US


@pytest.fixture
def url(database_url: str) -> str:
    """A database whose `readings` is the native one, also where TimescaleDB would be used."""
    with psycopg.connect(conninfo(database_url)) as conn:
        conn.execute("CREATE SCHEMA twinfeed")
        conn.execute("CREATE TABLE home (home text NOT NULL)")
        for migration in migrations(Home.NATIVE):
            conn.execute(migration.text.encode())
        conn.execute("UPDATE readings_partitioning SET daily_from = '2026-11-20'")
    return conninfo(database_url)


def insert(conn: Connection, ts_us: int) -> None:
    conn.execute("INSERT INTO readings (stream_id, ts) VALUES (1, %s)", [to_datetime(ts_us)])


def test_readings_of_any_year_find_their_partition(url: str) -> None:
    times = np.array([at("2013-12-02T21:15:00"), at("2026-11-19T23:59:59"), at("2026-11-20")])
    with psycopg.connect(url, autocommit=True) as conn:
        partitions = Partitions(100)
        partitions.ensure(conn, times)
        for ts_us in times.tolist():
            insert(conn, ts_us)
        assert existing_names(conn) == {
            "readings_p201312",
            "readings_p202611",
            "readings_p20261120",
        }
        with pytest.raises(psycopg.errors.CheckViolation):
            insert(conn, at("2026-11-21"))


def test_a_partition_that_was_dropped_is_made_again_after_forget(url: str) -> None:
    times = np.array([at("2020-05-05")])
    with psycopg.connect(url, autocommit=True) as conn:
        partitions = Partitions(100)
        partitions.ensure(conn, times)
        conn.execute("DROP TABLE readings_p202005")
        partitions.ensure(conn, times)
        with pytest.raises(psycopg.errors.CheckViolation):
            insert(conn, int(times[0]))
        partitions.forget()
        partitions.ensure(conn, times)
        insert(conn, int(times[0]))


def test_a_partition_is_refused_beyond_the_bound_and_named(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        partitions = Partitions(2)
        partitions.ensure(conn, np.array([at("2020-01-01"), at("2020-02-01")]))
        with pytest.raises(
            TooManyPartitions, match=r"2020-03-09.*TWINFEED_MAX_PARTITIONS"
        ) as caught:
            partitions.ensure(conn, np.array([at("2020-01-05"), at("2020-03-09")]))
        assert caught.value.days == {day("2020-03-09")}
        partitions.ensure(conn, np.array([at("2020-01-31")]))


def test_nothing_is_made_inside_a_transaction(url: str) -> None:
    with psycopg.connect(url) as conn:
        insert_mark = conn.execute("SELECT 1")
        assert insert_mark.fetchone() == (1,)
        with pytest.raises(RuntimeError):
            Partitions(10).ensure(conn, np.array([at("2020-01-01")]))


def test_processes_that_want_the_same_partitions_at_once_all_get_them(url: str) -> None:
    times = np.array([at(f"20{year}-{month:02}-01") for year in (20, 21) for month in range(1, 13)])
    failures: list[BaseException] = []

    def writer() -> None:
        try:
            with psycopg.connect(url, autocommit=True) as conn:
                Partitions(100).ensure(conn, times)
                insert(conn, int(times[0]) + threading.get_ident() % 10**9)
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=writer) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with psycopg.connect(url) as conn:
        assert len(existing_names(conn)) == 24
    assert not failures


def test_readers_and_writers_are_not_kept_waiting(url: str) -> None:
    with psycopg.connect(url) as busy, psycopg.connect(url, autocommit=True) as conn:
        partitions = Partitions(10)
        partitions.ensure(conn, np.array([at("2020-01-01")]))
        insert(busy, at("2020-01-02"))  # holds its lock on readings until it commits
        busy.execute("SELECT count(*) FROM readings")
        partitions.ensure(conn, np.array([at("2020-02-01")]))
        insert(conn, at("2020-02-01"))


def test_the_coming_days_are_made_ahead(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        make_ahead(conn, 100, at("2026-11-30T23:59:59"))
        assert existing_names(conn) == {
            "readings_p20261130",
            "readings_p20261201",
            "readings_p20261202",
        }


def test_other_ddl_in_the_way_is_waited_for(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.db.partitions.LOCK_TIMEOUT_MS", 20)
    with psycopg.connect(url) as ddl, psycopg.connect(url, autocommit=True) as conn:
        ddl.execute("LOCK TABLE readings IN SHARE UPDATE EXCLUSIVE MODE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            Partitions(10).ensure(conn, np.array([at("2020-01-01")]))
        release = threading.Timer(0.1, ddl.rollback)
        release.start()
        Partitions(10).ensure(conn, np.array([at("2020-01-01")]))
        release.join()
        insert(conn, at("2020-01-01"))
