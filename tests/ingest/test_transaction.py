"""A batch is stored the same way whichever path it takes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psycopg
import pytest

from ingest import arrays, transaction
from ingest.assemble import assemble
from ingest.block import Block
from ingest.transaction import Merging, commit_batch
from twin.batch import Rows
from twin.clock import now_us, to_us
from twin.db.migrate import migrate
from twin.db.partitions import Partitions
from twin.db.pool import Connection, conninfo
from twin.db.queries import load
from twin.errors import DatabaseAway, InternalError, Overloaded

NOW_US = now_us()


@pytest.fixture(scope="module")
def opened(new_database: Callable[[], str]):
    url = new_database()
    capabilities = migrate(url)
    with psycopg.connect(conninfo(url), autocommit=True) as conn:
        conn.execute(load("ingest", "writer")["make_staging"])
        arrays.register(conn)
        yield conn, Merging(capabilities), capabilities


def blocks(rng: np.random.Generator, stream: int) -> list[Block]:
    made = []
    for no in (1, 2):
        values = rng.normal(size=(40, 16))
        values[rng.random(values.shape) < 0.4] = np.nan
        values[:, 12:] = np.nan
        # Some are old, so that hours become dirty; equal pairs occur.
        ts_us = NOW_US - rng.integers(0, 40, 40) * 600_000_000
        ids = np.full(40, stream + no, dtype=np.int32)
        made.append(Block(no, 30, ids, ts_us.astype(np.int64), values, frozenset(range(12))))
    return made


def stored(conn: Connection, stream: int) -> tuple[list[object], list[object], list[object]]:
    rows = conn.execute(
        "SELECT stream_id - %s, ts, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v15"
        " FROM readings WHERE stream_id > %s ORDER BY 1, 2",
        [stream, stream],
    ).fetchall()
    dirty = conn.execute(
        "SELECT DISTINCT stream_id - %s, hour FROM rollup_dirty WHERE stream_id > %s ORDER BY 1, 2",
        [stream, stream],
    ).fetchall()
    log = conn.execute(
        "DELETE FROM ingest_log RETURNING datasource_no, readings, first_ts, last_ts, slots"
    ).fetchall()
    return list(rows), list(dirty), sorted(log)


def test_few_rows_are_stored_as_many_would_be(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    conn, merging, capabilities = opened
    slots = {1: set(range(12)), 2: set(range(12))}
    found = []
    for stream, few_rows in ((1000, 0), (2000, 256)):
        batch = assemble(blocks(np.random.default_rng(7), stream))
        monkeypatch.setattr(transaction, "FEW_ROWS", few_rows)
        if not capabilities.hypertables:
            Partitions(5000).ensure(conn, batch.rows.ts_us)
        commit_batch(conn, batch, slots, set(), merging, [], pytest.fail)
        found.append(stored(conn, stream))
    assert found[0] == found[1]
    assert len(found[0][0]) > 20
    assert found[0][1]
    log: list[Any] = found[0][2]
    assert sum(entry[1] for entry in log) == len(batch.page0_owners())
    seen = {(no, slot): (to_us(a), to_us(b)) for no, _, a, b, held in log for slot in held}
    assert len(seen) == 2 * 12
    for (no, slot), times in seen.items():
        held = (batch.owner == 2 * no) & ~np.isnan(batch.rows.values[:, slot])
        assert times == (batch.rows.ts_us[held].min(), batch.rows.ts_us[held].max())


def test_few_rows_that_collide_store_nothing(opened) -> None:
    conn, merging, capabilities = opened
    batch = assemble(blocks(np.random.default_rng(8), 3000))
    slots = {1: {0}, 2: {0}}
    if not capabilities.hypertables:
        Partitions(5000).ensure(conn, batch.rows.ts_us)
    commit_batch(conn, batch, slots, set(), merging, [], pytest.fail)
    before = stored(conn, 3000)[0]
    with pytest.raises(psycopg.errors.UniqueViolation):
        commit_batch(conn, batch, slots, set(), merging, [], pytest.fail)
    assert stored(conn, 3000) == (before, stored(conn, 3000)[1], [])
    outcome = commit_batch(conn, batch, slots, {1, 2}, merging, [], pytest.fail)
    assert outcome.new_readings == 0
    assert stored(conn, 3000)[0] == before


class Failing:
    """A hook that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def wants(self, datasource_no: int) -> bool:
        return datasource_no == 1

    def foresee(self, rows: Rows, datasource_nos: Sequence[int]) -> None:
        return None

    def apply(self, conn: Connection, rows: Rows, datasource_nos: Sequence[int]) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (psycopg.errors.DeadlockDetected(), psycopg.errors.DeadlockDetected),
        (psycopg.errors.LockNotAvailable(), psycopg.errors.LockNotAvailable),
        (DatabaseAway("away"), DatabaseAway),
        (TimeoutError(), Overloaded),
    ],
)
def test_readings_do_not_commit_without_what_they_would_cause_a_moment_later(
    opened, error: Exception, raised: type[Exception]
) -> None:
    conn, merging, capabilities = opened
    batch = assemble(blocks(np.random.default_rng(9), 4000))
    slots = {1: {0}, 2: {0}}
    if not capabilities.hypertables:
        Partitions(5000).ensure(conn, batch.rows.ts_us)
    with pytest.raises(raised):
        commit_batch(conn, batch, slots, set(), merging, [Failing(error)], pytest.fail)
    assert stored(conn, 4000) == ([], [], [])


@pytest.mark.parametrize("error", [ValueError(), InternalError("a query of ours is wrong")])
def test_a_fault_of_a_hook_costs_no_reading(opened, error: Exception) -> None:
    conn, merging, capabilities = opened
    batch = assemble(blocks(np.random.default_rng(9), 5000 + 1000 * isinstance(error, ValueError)))
    told: list[Exception] = []
    if not capabilities.hypertables:
        Partitions(5000).ensure(conn, batch.rows.ts_us)
    commit_batch(conn, batch, {1: {0}, 2: {0}}, set(), merging, [Failing(error)], told.append)
    assert told == [error]
    streams = np.unique(batch.rows.stream_id).tolist()
    query = "SELECT count(*) FROM readings WHERE stream_id = ANY(%s)"
    (found,) = conn.execute(query, [streams]).fetchall()
    assert found == (len(batch.rows),)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_arrays_arrive_as_they_were(opened, count: int) -> None:
    conn = opened[0]
    values = np.arange(count, dtype=np.float64)
    holed = np.where(values % 2 == 1, np.nan, values)
    row = conn.execute(
        "SELECT %s, %s, %s, %s",
        [
            arrays.int4s(np.arange(count, dtype=np.int32)),
            arrays.int8s(np.arange(count, dtype=np.int64) << 40),
            arrays.floats(values),
            arrays.floats(holed),
        ],
    ).fetchone()
    assert row is not None
    assert row[0] == list(range(count))
    assert row[1] == [i << 40 for i in range(count)]
    assert row[2] == values.tolist()
    assert row[3] == [None if v % 2 == 1 else v for v in values.tolist()]
