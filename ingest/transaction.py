"""One batch, one transaction: rows, rollup marks, totals, and what hooks add, committed together.

Plain rows go by COPY; rows of datasources that collide go through a staging table and are merged. The
order is rollup mark, rows, hooks, log: locks are taken in the same order by every writer.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
import psycopg
from psycopg import sql

from ingest import arrays
from ingest.assemble import Batch, select
from ingest.frame import encode, used_columns
from ingest.newest import Newest, newest_of
from twin import metrics, rollups
from twin.batch import PAGE_SLOTS, BatchHook, Ending, Floats, Foreseen, Int64s, Rows
from twin.clock import to_datetime
from twin.db.capabilities import Capabilities
from twin.db.pool import Connection
from twin.db.queries import load
from twin.errors import DatabaseAway, Overloaded

FEW_ROWS = 256
"""Up to here one statement with arrays is quicker than a COPY between five others: a commit of 30
rows took 1.0 ms instead of 1.9 ms."""

SEEN_APART_US = 1_000_000
"""Of readings that come together and lie closer, all keys count as seen from the first to the last."""

MOVED = "TW001"
"""The SQLSTATE of `stand`: what a hook foresaw no longer stands."""
NOTHING = Foreseen(0, [], [], [], [], None)

_SQL = load("ingest", "writer")


class Outcome(msgspec.Struct):
    """What a committed batch was."""

    rows: int
    new_readings: int
    after_commit: list[Callable[[], None]]


class Merging:
    """How rows are merged on a home: the one thing about it that differs is telling new rows apart."""

    def __init__(self, capabilities: Capabilities) -> None:
        """Choose the expression that is true for a row that the INSERT made."""
        # A partitioned table has no xmax to return; TimescaleDB runs on servers before 18.
        self._is_new = "xmax = 0" if capabilities.hypertables else "old.stream_id IS NULL"

    def merge(self, conn: Connection, rows: Rows) -> dict[int, int]:
        """Merge rows; return how many are new per stream."""
        columns = used_columns(rows)
        copy_rows(conn, "staging", rows, columns)
        if not columns:
            found = conn.execute(_SQL["upsert_bare"]).fetchall()
        else:
            found = conn.execute(self._statement(columns)).fetchall()
        return {int(stream): int(count) for stream, count in found}

    def _statement(self, columns: list[int]) -> sql.Composed:
        names = [sql.Identifier(f"v{c}") for c in columns]
        merge = [sql.SQL("{0} = coalesce(excluded.{0}, r.{0})").format(n) for n in names]
        differs = [
            sql.SQL("excluded.{0} <> r.{0} OR (r.{0} IS NULL AND excluded.{0} IS NOT NULL)").format(
                n
            )
            for n in names
        ]
        return sql.SQL(_SQL["upsert"].decode()).format(
            columns=sql.SQL(", ").join(names),
            merge=sql.SQL(", ").join(merge),
            differs=sql.SQL(" OR ").join(differs),
            is_new=sql.SQL(self._is_new),
        )


def commit_batch(
    conn: Connection,
    batch: Batch,
    slots: dict[int, set[int]],
    colliding: Iterable[int],
    merging: Merging,
    hooks: Sequence[BatchHook],
    on_hook_error: Callable[[Exception], None],
) -> Outcome:
    """Commit a batch. `slots` per datasource number; `colliding` datasources are merged.

    Raises psycopg.Error with nothing stored; after_commit of the outcome is for the caller to run.
    """
    rows = batch.rows
    datasource_nos = sorted(slots)
    merged = set(colliding)
    foreseen = [_foresee(hook, rows, datasource_nos, on_hook_error) for hook in hooks]
    standing = [one for one in foreseen if one is None or one.nos]
    is_plain = not standing or (len(standing) == 1 and standing[0] is not None)
    if len(rows) <= FEW_ROWS and is_plain and merged.isdisjoint(datasource_nos):
        few = [one for one in standing if one is not None]
        try:
            with _undoing([one.ending for one in few if one.ending is not None]):
                return _store_few(conn, batch, slots, few)
        except psycopg.DatabaseError as exc:
            if exc.sqlstate != MOVED:
                raise
        foreseen = [one if one is NOTHING else None for one in foreseen]
    else:
        foreseen = [_lasting(one) for one in foreseen]
    endings: list[Ending] = []
    with _undoing(endings), conn.transaction():
        mark_us = rollups.begin(conn)
        new_readings = _store(conn, batch, merged, merging)
        rollups.mark_dirty(conn, rows.stream_id, rows.ts_us, mark_us)
        for hook, seen in zip(hooks, foreseen, strict=True):
            if not _stands(conn, seen):
                ending = _run_hook(conn, hook, rows, datasource_nos, on_hook_error)
                endings += [ending] if ending is not None else []
        _log(conn, batch, slots, new_readings)
    return Outcome(len(rows), sum(new_readings.values()), [e.committed for e in endings])


def copy_rows(conn: Connection, table: str, rows: Rows, columns: list[int]) -> None:
    """COPY rows into `readings` or `staging`, only the columns that are used."""
    names = [sql.Identifier(f"v{c}") for c in columns]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table),
        sql.SQL(", ").join([sql.Identifier("stream_id"), sql.Identifier("ts"), *names]),
    )
    frame = encode(rows, columns)
    started = time.perf_counter()
    with conn.cursor().copy(statement) as copy:
        copy.write(frame)
    metrics.COPY_SECONDS.inc(time.perf_counter() - started)


def _store(conn: Connection, batch: Batch, colliding: set[int], merging: Merging) -> dict[int, int]:
    """Store rows; return new readings per datasource."""
    is_merged = np.isin(batch.owner // 2, list(colliding)) if colliding else None
    if is_merged is None or not is_merged.any():
        copy_rows(conn, "readings", batch.rows, used_columns(batch.rows))
        return _count(batch)
    plain, merged = select(batch, ~is_merged), select(batch, is_merged)
    counts = _count(plain)
    if len(plain.rows):
        copy_rows(conn, "readings", plain.rows, used_columns(plain.rows))
    owner_of = dict(zip(merged.rows.stream_id.tolist(), merged.owner.tolist(), strict=True))
    for stream, new in merging.merge(conn, merged.rows).items():
        if owner_of[stream] % 2 == 0:
            counts[owner_of[stream] // 2] = counts.get(owner_of[stream] // 2, 0) + new
    return counts


def _count(batch: Batch) -> dict[int, int]:
    """Return the readings (rows of page 0) per datasource."""
    nos, counts = np.unique(batch.page0_owners() // 2, return_counts=True)
    return dict(zip(nos.tolist(), counts.tolist(), strict=True))


def _foresee(
    hook: BatchHook,
    rows: Rows,
    datasource_nos: Sequence[int],
    on_error: Callable[[Exception], None],
) -> Foreseen | None:
    wanted = [no for no in datasource_nos if hook.wants(no)]
    if not wanted:
        return NOTHING
    try:
        return hook.foresee(rows, wanted)
    except Exception as exc:
        on_error(exc)
        return None


def _lasting(foreseen: Foreseen | None) -> Foreseen | None:
    """Return what was foreseen if it may be held as long as a large batch takes, else give it up."""
    if foreseen is None or foreseen.ending is None:
        return foreseen
    foreseen.ending.undone()
    return None


@contextmanager
def _undoing(endings: list[Ending]) -> Iterator[None]:
    """Tell all that a transaction is undone, if it is."""
    try:
        yield
    except BaseException:
        for ending in endings:
            ending.undone()
        raise


def _stands(conn: Connection, foreseen: Foreseen | None) -> bool:
    """Return whether a hook has nothing to do in this transaction."""
    if foreseen is None or not foreseen.nos:
        return foreseen is not None
    try:
        with conn.transaction():  # a savepoint: undone, it frees its locks
            conn.execute(_SQL["stand"], _standing(foreseen), prepare=True)
    except psycopg.DatabaseError as exc:
        if exc.sqlstate != MOVED:
            raise
        return False
    return True


def _standing(foreseen: Foreseen) -> list[Any]:
    of = foreseen
    return [of.lock_class, of.nos, of.versions, of.owners, of.removals]


def _run_hook(
    conn: Connection,
    hook: BatchHook,
    rows: Rows,
    datasource_nos: Sequence[int],
    on_error: Callable[[Exception], None],
) -> Ending | None:
    wanted = [no for no in datasource_nos if hook.wants(no)]
    if not wanted:
        return None
    try:
        with conn.transaction():  # a savepoint: what fails here never costs a reading
            return hook.apply(conn, rows, wanted)
    except (psycopg.OperationalError, DatabaseAway, Overloaded):
        raise  # a deadlock, a lock, a database that is away: readings without their effect would stay so
    except TimeoutError as exc:
        raise Overloaded("Alerts cannot be judged now.", retry_after_s=1) from exc
    except Exception as exc:
        if conn.closed:
            raise  # the connection, not the hook, failed
        on_error(exc)
        return None


def _store_few(
    conn: Connection, batch: Batch, slots: dict[int, set[int]], foreseen: Sequence[Foreseen]
) -> Outcome:
    """Commit a small plain batch in one round trip, if what was foreseen still stands."""
    rows = batch.rows
    used = set(used_columns(rows))
    columns = [arrays.floats(rows.values[:, c]) if c in used else None for c in range(PAGE_SLOTS)]
    entries = _entries(batch, slots, _count(batch))
    nos, counts, firsts, lasts, held, newest = zip(*entries, strict=True)
    conn.execute(
        _SQL["store_few_if"] if foreseen else _SQL["store_few"],
        [
            arrays.int4s(rows.stream_id),
            arrays.timestamps(rows.ts_us),
            *columns,
            arrays.int4s(np.array(nos, dtype=np.int32)),
            arrays.int8s(np.array(counts, dtype=np.int64)),
            arrays.timestamps(np.array(firsts, dtype=np.int64)),
            arrays.timestamps(np.array(lasts, dtype=np.int64)),
            ["{" + ",".join(map(str, one)) + "}" for one in held],
            arrays.timestamps(np.array([n.ts_us for n in newest], dtype=np.int64)),
            arrays.int4s(np.array([n.stream for n in newest], dtype=np.int32)),
            arrays.timestamps(np.array([n.second_ts_us for n in newest], dtype=np.int64)),
            arrays.int4s(np.array([n.second_stream for n in newest], dtype=np.int32)),
            *(value for one in foreseen for value in _standing(one)),
        ],
        prepare=True,
    )
    committed = [one.ending.committed for one in foreseen if one.ending is not None]
    return Outcome(len(rows), sum(counts), committed)


def _log(
    conn: Connection, batch: Batch, slots: dict[int, set[int]], new_readings: dict[int, int]
) -> None:
    """Record what each datasource's part of the batch was."""
    entries = [
        (
            *(no, count, to_datetime(first), to_datetime(last), held),
            *(to_datetime(newest.ts_us), newest.stream),
            *(to_datetime(newest.second_ts_us), newest.second_stream),
        )
        for no, count, first, last, held, newest in _entries(batch, slots, new_readings)
    ]
    if len(entries) == 1:
        conn.execute(_SQL["log_batch"], entries[0])
    else:
        conn.cursor().executemany(_SQL["log_batch"], entries)


def _entries(
    batch: Batch, slots: dict[int, set[int]], new_readings: dict[int, int]
) -> list[tuple[int, int, int, int, list[int], Newest]]:
    """Return (datasource, new readings, first and last time in µs, slots held, newest) of a batch.

    Slots that were held at other times have an entry of their own, which counts no reading.
    """
    stream_id, ts_us, values = batch.rows.stream_id, batch.rows.ts_us, batch.rows.values
    entries = []
    for no, held in slots.items():
        own = batch.owner == 2 * no  # of page 0, which holds every reading
        if own.all():
            own = slice(None)
        times = ts_us[own]
        newest = newest_of(stream_id[own], times)
        whole = (int(times.min()), newest.ts_us)
        groups: dict[tuple[int, int], list[int]] = {whole: []}
        is_long = whole[1] - whole[0] >= SEEN_APART_US
        seen = _times_of(times, values[own], held) if is_long else {}
        for slot in sorted(held):
            groups.setdefault(seen.get(slot, whole), []).append(slot)
        count = new_readings.get(no, 0)
        for (first, last), of_them in groups.items():
            entries.append((no, count, first, last, of_them, newest))
            count = 0
    return entries


def _times_of(times: Int64s, values: Floats, held: set[int]) -> dict[int, tuple[int, int]]:
    """Return when slots of page 0 were held, first and last in µs; without those held all the time."""
    slots = [slot for slot in sorted(held) if slot < PAGE_SLOTS]
    absent = np.isnan(values[:, slots])
    found = {}
    for i in np.flatnonzero(absent.any(axis=0)).tolist():
        own = times[~absent[:, i]]
        if len(own):
            found[slots[i]] = (int(own.min()), int(own.max()))
    return found
