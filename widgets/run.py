"""Runs planned queries. The only place here that reads the readings.

The pool's sessions carry the statement timeout; a query that meets it becomes a 422.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import Any

import msgspec
import psycopg

from twin.clock import to_us
from twin.db.errors import driver_errors
from twin.db.pool import POOL_WAIT_S, AsyncConnection, AsyncPool, Owned
from twin.db.queries import load
from twin.errors import Invalid, Overloaded
from widgets.newest import (
    FEW_STREAMS,
    NEAR_US,
    Look,
    Pool,
    at_two,
    newest_of,
    newest_two,
    where_from,
)
from widgets.plan import CLEAN, DIRTY, Query, plan
from widgets.question import Question
from widgets.rows import Rows, SettledRows, rows_of
from widgets.samples import plan_samples
from widgets.thin import Samples, decode, thin
from widgets.together import Party, Together

MARK_KEPT_S = 5.0
"""How long a worker uses a mark it has read. An older mark is as right, it only reads more rows."""

LEFT_FREE = 2
"""Connections that widgets leave to others: slow queries must not hold up keys and schemas, which
ingest needs."""


class Reading(msgspec.Struct, frozen=True):
    """One value of a key."""

    ts_us: int
    value: float


class Reader:
    """Answers questions from the database."""

    def __init__(self, pool: AsyncPool, max_raw_rows: int) -> None:
        """Read through `pool`; `max_raw_rows` bounds what only raw readings can answer."""
        self._pool = pool
        self._max_raw_rows = max_raw_rows
        self._turns = asyncio.Semaphore(max(pool.max_size - LEFT_FREE, 1))
        self._sql = load("widgets", "data")
        self._closed_us = 0
        self._closed_until_s = 0.0
        self._near = Together(self._looks)
        self._settled = SettledRows()

    def forget(self) -> None:
        """Hold nothing of what was read."""
        self._settled.clear()

    async def groups(self, question: Question) -> Rows:
        """Return the groups of a question, ordered by bucket and group.

        Raises Invalid when more readings than allowed would have to be read one by one.
        """
        if not question.streams or question.from_us >= question.end_us:
            return Rows()
        async with self._connection() as conn:
            closed_us = await self._closed(conn)
            rows = await self._continued(conn, question, closed_us)
            if rows is None:
                rows = await self._whole(conn, question, closed_us)
        return rows.valued()

    async def _continued(
        self, conn: AsyncConnection, question: Question, closed_us: int
    ) -> Rows | None:
        """Return kept rows and those that follow them; None: there are none that still hold."""
        settled = self._settled.find(question)
        if settled is None:
            return None
        rest = msgspec.structs.replace(question, from_us=settled.until_us)
        query = plan(rest, closed_us, self._max_raw_rows, question.from_us)
        *records, check = await _fetch(conn, query)
        if check[2] == DIRTY or check[3] != settled.cleanings:
            self._settled.forget(question)
            return None
        rows = settled.rows.followed_by(rows_of(records))
        if _is_unknown(question, rows):
            return None
        self._settled.keep(question, rows, settled.cleanings, closed_us)
        return rows

    async def _whole(self, conn: AsyncConnection, question: Question, closed_us: int) -> Rows:
        query = plan(question, closed_us, self._max_raw_rows)
        records, cleanings = await _fetch(conn, query), None
        if query.is_checked:
            check = records.pop()
            if check[2] == CLEAN:
                cleanings = int(check[3])
            elif query.if_dirty is not None:
                records = await _fetch(conn, query.if_dirty)
        rows = rows_of(records)
        _check_bound(query, sum(rows.count))
        if _is_unknown(question, rows):
            return rows_of(await _fetch(conn, plan(question, 0, self._max_raw_rows)))
        self._settled.keep(question, rows, cleanings, closed_us)
        return rows

    async def samples(self, question: Question, how: str, points: int) -> dict[int, Samples]:
        """Return at most `points` readings picked by `how` from each group: by stream, or under 0.

        Raises Invalid as `groups` does.
        """
        if not question.streams or question.from_us >= question.end_us:
            return {}
        query = plan_samples(question, self._max_raw_rows)
        async with self._connection() as conn:
            rows = await _fetch(conn, query)
        _check_bound(query, sum(count for _, count, _, _ in rows))

        def pick() -> dict[int, Samples]:
            return {
                group or 0: thin(decode(times, values), how, points)
                for group, _, times, values in rows
            }

        return await asyncio.to_thread(pick)

    async def newest(
        self,
        streams: tuple[int, ...],
        column: int,
        from_us: int,
        end_us: int,
        near_us: int,
        party: Party,
        pool: Pool | None = None,
    ) -> list[Reading]:
        """Return the newest one or two values of [from, end), newest first.

        `near_us`: about when the newest is expected. `party`: whose streams these are. `pool`: whose
        devices' streams these all are.
        """
        if not streams or from_us >= end_us:
            return []
        if len(streams) <= FEW_STREAMS:
            begin_us = max(min(near_us, end_us) - NEAR_US[0], from_us)
            near = await self._near.ask(party, Look(streams, column, begin_us, end_us))
            if len(near) == 2 or begin_us == from_us:
                return near
        async with self._connection(pool) as conn:
            if pool is not None and len(streams) > FEW_STREAMS:
                at_places = await self._at_places(conn, pool, column, from_us, end_us)
                if len(at_places) == 2:
                    return at_places
            for back_us in NEAR_US[len(streams) <= FEW_STREAMS :]:
                begin_us = max(min(near_us, end_us) - back_us, from_us)
                found = await _fetch(conn, newest_two(streams, column, begin_us, end_us))
                if len(found) == 2 or begin_us == from_us:
                    break
            else:
                closed_us = await self._closed(conn)
                hint = where_from(streams, column, from_us, end_us, closed_us)
                ((moment,),) = await _fetch(conn, hint)
                begin_us = max(min(to_us(moment), begin_us), from_us)
                found = await _fetch(conn, newest_two(streams, column, begin_us, end_us))
        return [Reading(to_us(ts), value) for ts, value, _ in found]

    async def _looks(self, looks: Sequence[Look]) -> list[list[Reading]]:
        """Return what each look found: the newest two at most, newest first."""
        async with self._connection() as conn:
            rows = await _fetch(conn, newest_of(looks))
        found: list[list[Reading]] = [[] for _ in looks]
        for ts, value, no in rows:
            if len(found[no]) < 2:
                found[no].append(Reading(to_us(ts), value))
        return found

    async def _at_places(
        self, conn: AsyncConnection, pool: Pool, column: int, from_us: int, end_us: int
    ) -> list[Reading]:
        """Return the values at the datasource's newest places, fewer where they no longer are."""
        cursor = await conn.execute(self._sql["newest_places"], {"no": pool.datasource_no})
        places = [(to_us(ts), pool.of_page(stream)) for ts, stream in await cursor.fetchall()]
        if len(places) < 2 or places[0][0] >= end_us or places[1][0] < from_us:
            return []
        found = await _fetch(conn, at_two(places, column))
        return [Reading(to_us(ts), value) for ts, value in found]

    @asynccontextmanager
    async def _connection(self, owner: Owned | None = None) -> AsyncIterator[AsyncConnection]:
        """A connection when it is our turn. Raises Overloaded when that takes too long.

        Readings are reached by stream ids and need no owner; where they were written last does.
        """
        if self._turns.locked():
            await self._wait()
        else:
            await self._turns.acquire()
        try:
            with driver_errors():
                async with self._pool.bound(owner) if owner else self._pool.nobody() as conn:
                    yield conn
        finally:
            self._turns.release()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POOL_WAIT_S):
                await self._turns.acquire()
        except TimeoutError:
            raise Overloaded("Too many widgets are being read.", retry_after_s=1) from None

    async def _closed(self, conn: AsyncConnection) -> int:
        if time.monotonic() >= self._closed_until_s:
            cursor = await conn.execute(self._sql["closed_mark"])
            row = await cursor.fetchone()
            self._closed_us = int(row[0]) if row is not None else 0
            self._closed_until_s = time.monotonic() + MARK_KEPT_S
        return self._closed_us


def _is_unknown(question: Question, rows: Rows) -> bool:
    """Return whether a sum is not in the rollups: of values near the end of the doubles."""
    return question.agg in ("avg", "sum") and inf in rows.value


def _check_bound(query: Query, count: int) -> None:
    if query.max_rows and count > query.max_rows:
        raise Invalid(
            f"This needs more than {query.max_rows} readings one by one: choose a shorter range,"
            " one device, another aggregate than median, p95, p99, delta and rate, and downsample"
            " bucket."
        )


async def _fetch(conn: AsyncConnection, query: Query) -> list[tuple[Any, ...]]:
    try:
        # Binary: neither side writes or reads numbers and times as text.
        cursor = await conn.execute(query.statement, query.params, binary=True)
        return await cursor.fetchall()
    except psycopg.errors.NumericValueOutOfRange:
        raise Invalid(
            "The sum of these values is larger than a double can hold, or their mean smaller."
        ) from None
