"""Keeps the rollups up to date: new buckets behind the mark, then dirty hours, in bounded steps.

`twin/rollups.py` says why the answers stay exact. Invariant: stopping after any statement loses
nothing; the next run goes on where this one stopped. Tables change in one transaction with their
mark or dirty entries. Continuous aggregates commit by themselves, so there the mark and the entries
follow only once the refresh is done.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import psycopg

from twin.clock import DAY_US, SECOND_US, now_us, to_datetime
from twin.db.capabilities import Home
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.db.spans import Span, spans
from twin.ground import Ground
from twin.jobs import Job, session
from twin.rollups import HOUR_US, MARK_LOCK, QUARTER_US, fives_from_us
from widgets.rollup_sql import aggregate, coarser

REFRESH_LOCK = int.from_bytes(b"tf.rolls", "big")
"""Advisory lock held by the session that refreshes."""
SETTLE_US = 120 * SECOND_US
"""Age at which a quarter of an hour is closed: devices mostly deliver within two minutes. A reading
that comes later is not lost on anyone, but costs a new aggregation of its hour."""
MARK_LOCK_TIMEOUT_MS = 1000
"""New writers queue behind the one who moves their mark; he gives up after this and tries next
time."""
SLICE_US = HOUR_US
"""Most time aggregated in one transaction."""
BATCH_ENTRIES = 50_000
"""Dirty entries read at once."""
STEP_PAIRS = 1000
"""Most (stream, hour) pairs recomputed in one transaction: 3.6 M readings at one a second."""
CLEAN_S = 60.0
"""Most time for dirty hours in a run, so that a large import does not keep new quarters waiting."""
WINDOW_HOURS = 24
"""Most hours of one refresh of a continuous aggregate: a chunk."""
VIEWS = ("rollup_1m", "rollup_15m")
"""In this order: the second is made from the first."""
WORK_MEM = "64MB"
"""For sorting and hashing a slice; more goes to disk."""

_queries = load("widgets", "rollups")


class Step(msgspec.Struct, frozen=True):
    """Dirty entries that are settled together, and their (stream, hour) pairs, each once."""

    entries: list[int]
    pairs: list[tuple[int, int]]

    @property
    def from_us(self) -> int:
        """Where the first hour begins."""
        return min(hour for _, hour in self.pairs) * HOUR_US

    @property
    def to_us(self) -> int:
        """Where the last hour ends."""
        return (max(hour for _, hour in self.pairs) + 1) * HOUR_US

    def pairs_until(self, end_us: int) -> dict[str, Any]:
        """Return the pairs as a statement's parameters, and their time as far as it lies before."""
        return {
            "streams": [stream for stream, _ in self.pairs],
            "hours": [hour for _, hour in self.pairs],
            "from": to_datetime(self.from_us),
            "to": to_datetime(min(self.to_us, end_us)),
        }


def rollup_job(interval_s: float) -> Job:
    """Return the background job; it runs on one process at a time."""
    return Job("rollups", interval_s, _run)


async def _run(ground: Ground) -> None:
    # PostgreSQL's JIT takes longer to compile the 96 columns than they take to run.
    async with session(ground, "rollups", work_mem=WORK_MEM, jit="off") as conn:
        await refresh(conn, ground.capabilities.home, now_us())


async def refresh(conn: AsyncConnection, home: Home, now_us: int) -> None:
    """Bring the rollups up to date. `conn` is in autocommit mode and outside a transaction.

    Returns at once when another session is at it.
    """
    row = await (await conn.execute(_queries["lock_refresh"], [REFRESH_LOCK])).fetchone()
    if row is None or not row[0]:
        return
    await move_writers_mark(conn, now_us)
    held = await _held(conn, home)
    while await close_slice(conn, home, held):
        pass
    # Not those that arrive meanwhile: a device that is always late would never let this end.
    (newest,) = await _one(conn, "newest_dirty")
    deadline = time.monotonic() + CLEAN_S
    while await clean_batch(conn, home, newest, deadline):
        pass


async def move_writers_mark(conn: AsyncConnection, now_us: int) -> None:
    """Have later writers record what they add to the quarters that close now.

    Leaves the mark where it is when a writer's transaction takes too long.
    """
    mark_us = (now_us - SETTLE_US) // QUARTER_US * QUARTER_US
    _, writers_us = await _marks(conn)
    if mark_us <= writers_us:
        return
    try:
        async with conn.transaction():
            await conn.execute(_queries["limit_lock_wait"], [f"{MARK_LOCK_TIMEOUT_MS}ms"])
            await conn.execute(_queries["lock_mark"], [MARK_LOCK])
            await conn.execute(_queries["move_writers_mark"], {"mark_us": mark_us})
    except psycopg.errors.LockNotAvailable:
        return


async def _held(conn: AsyncConnection, home: Home) -> list[Span] | None:
    """The spans between the marks; None when these are so close that it is not worth looking.

    Looked up after the writers' mark has moved: a span that appears later holds, before that mark, only
    readings that are recorded as dirty.
    """
    readers_us, writers_us = await _marks(conn)
    if writers_us - readers_us <= DAY_US:
        return None
    return await spans(conn, home, readers_us, writers_us)


def slice_end(readers_us: int, writers_us: int, held: list[Span] | None) -> tuple[int, bool]:
    """Return where the next slice ends and whether it can hold readings.

    Where none of the `held` spans is, years go in one step: between a recording of 2013 and today.
    """
    end_us = min(writers_us, readers_us + SLICE_US)
    if held is None or any(span.from_us < end_us and span.to_us > readers_us for span in held):
        return end_us, True
    later = [span.from_us for span in held if span.from_us >= end_us]
    # A slice ends on a quarter of an hour; spans begin at midnight or, TimescaleDB's, anywhere.
    return min([*(us // QUARTER_US * QUARTER_US for us in later), writers_us]), False


async def close_slice(conn: AsyncConnection, home: Home, held: list[Span] | None = None) -> bool:
    """Aggregate the next slice behind the writers' mark. Returns whether there was one.

    `held`: the spans with readings between the marks; None: anywhere.
    """
    readers_us, writers_us = await _marks(conn)
    if readers_us >= writers_us:
        return False
    to_us, filled = slice_end(readers_us, writers_us, held)
    span = {"from": to_datetime(readers_us), "to": to_datetime(to_us)}
    if home is Home.COMMUNITY and filled:
        await _refresh_views(conn, readers_us, to_us)
    async with conn.transaction():
        if home is not Home.COMMUNITY and filled:
            await conn.execute(aggregate("from_range"), span)
        await _close_fives(conn, readers_us, to_us)
        await _close_days(conn, readers_us, to_us)
        await conn.execute(_queries["move_readers_mark"], {"from_us": readers_us, "to_us": to_us})
    if readers_us // DAY_US < to_us // DAY_US:
        # A day later than they are last read: a reader may still hold the mark before.
        await conn.execute(_queries["drop_fives"], [to_datetime(fives_from_us(to_us) - DAY_US)])
    return True


async def _close_fives(conn: AsyncConnection, from_us: int, to_us: int) -> None:
    """Make the fives of the quarters over which the mark moves to `to_us`."""
    begin_us = max(from_us, fives_from_us(to_us))
    if begin_us < to_us:
        span = {"from": to_datetime(begin_us), "to": to_datetime(to_us)}
        await conn.execute(coarser("rollup_5m", "range"), span)


async def _close_days(conn: AsyncConnection, from_us: int, to_us: int) -> None:
    """Make the hours of the days (UTC) that end as the mark moves to `to_us`."""
    span = (from_us // DAY_US * DAY_US, to_us // DAY_US * DAY_US)
    if span[0] < span[1]:
        days = {"from": to_datetime(span[0]), "to": to_datetime(span[1])}
        await conn.execute(coarser("rollup_1h", "range"), days)


async def clean_batch(conn: AsyncConnection, home: Home, newest: int, deadline: float) -> bool:
    """Recompute the hours of the oldest dirty entries up to `newest`, an id.

    Returns whether there may be more to do before `deadline` of the monotonic clock.
    """
    cursor = await conn.execute(_queries["oldest_dirty"], [newest, BATCH_ENTRIES])
    entries = await cursor.fetchall()
    readers_us, _ = await _marks(conn)
    clean = _clean_views if home is Home.COMMUNITY else _clean_tables
    for step in plan_steps(entries, together=_same_window if home is Home.COMMUNITY else _same_day):
        await clean(conn, step, readers_us)
        if time.monotonic() > deadline:
            return False
    return bool(entries)


def plan_steps(
    entries: list[tuple[int, int, int]], together: Callable[[int, int], bool]
) -> list[Step]:
    """Group entries (id, stream, hour) into steps of at most STEP_PAIRS pairs, by hour.

    A step ends where `together(first hour, next hour)` says no. All entries of a pair share a step.
    """
    ids: dict[tuple[int, int], list[int]] = {}
    for entry, stream, hour in entries:
        ids.setdefault((hour, stream), []).append(entry)
    steps: list[Step] = []
    first = None
    for hour, stream in sorted(ids):
        if first is None or len(steps[-1].pairs) >= STEP_PAIRS or not together(first, hour):
            steps.append(Step([], []))
            first = hour
        steps[-1].pairs.append((stream, hour))
        steps[-1].entries.extend(ids[hour, stream])
    return steps


def _same_day(first: int, hour: int) -> bool:
    # More partitions than a day's would cost the planner more than the step.
    return first * HOUR_US // DAY_US == hour * HOUR_US // DAY_US


def _same_window(first: int, hour: int) -> bool:
    return hour - first < WINDOW_HOURS


async def _clean_tables(conn: AsyncConnection, step: Step, readers_us: int) -> None:
    pairs = step.pairs_until(readers_us)  # what is later, close_slice will do
    async with conn.transaction():
        await conn.execute(_queries["delete_hours_1m"], pairs)
        await conn.execute(_queries["delete_hours_15m"], pairs)
        if pairs["from"] < pairs["to"]:
            await conn.execute(aggregate("from_pairs"), pairs)
        await _clean_coarser(conn, step, readers_us)
        await conn.execute(_queries["count_cleaning"])
        await conn.execute(_queries["delete_dirty"], [step.entries])


async def _clean_coarser(conn: AsyncConnection, step: Step, readers_us: int) -> None:
    """Make a step's fives and hours anew, the fives up to the mark, the hours of days that are over."""
    fives = step.pairs_until(readers_us)
    fives["from"] = max(fives["from"], to_datetime(fives_from_us(readers_us)))
    hours = step.pairs_until(readers_us // DAY_US * DAY_US)
    await conn.execute(_queries["delete_hours_5m"], fives)
    await conn.execute(_queries["delete_hours_1h"], hours)
    if fives["from"] < fives["to"]:
        await conn.execute(coarser("rollup_5m", "pairs"), fives)
    if hours["from"] < hours["to"]:
        await conn.execute(coarser("rollup_1h", "pairs"), hours)


async def _clean_views(conn: AsyncConnection, step: Step, readers_us: int) -> None:
    # TimescaleDB recomputes only what it knows as changed: gaps in the window cost nothing.
    if step.from_us < readers_us:
        await _refresh_views(conn, step.from_us, min(step.to_us, readers_us))
    async with conn.transaction():
        await _clean_coarser(conn, step, readers_us)
        await conn.execute(_queries["count_cleaning"])
        await conn.execute(_queries["delete_dirty"], [step.entries])


async def _refresh_views(conn: AsyncConnection, from_us: int, to_us: int) -> None:
    for view in VIEWS:
        await conn.execute(
            _queries["refresh_view"], [view, to_datetime(from_us), to_datetime(to_us)]
        )


async def _marks(conn: AsyncConnection) -> tuple[int, int]:
    readers_us, writers_us = await _one(conn, "marks")
    return readers_us, writers_us


async def _one(conn: AsyncConnection, name: str) -> tuple[int, ...]:
    row = await (await conn.execute(_queries[name])).fetchone()
    if row is None:
        raise LookupError(f"{name} has no row")
    return row
