"""Deleting readings, in bounded transactions that keep totals and rollups exact.

Each transaction removes rows of `readings`, logs the readings that went (page 0 has a row for each)
as a negative entry of `ingest_log`, and marks their hours dirty. Higher pages go first: a reading
counts until nothing of it is left. Stopping midway leaves a smaller job of the same kind.

Where only a slot is emptied, a reading that loses its last value by that goes too, in the same
transaction. Its first page is locked before the others are looked at: whoever writes a value to another
page merges into the first one as well, so he has committed by then, or finds it gone and adds it anew.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from twin.batch import PAGE_SLOTS
from twin.clock import EPOCH, to_datetime
from twin.db.capabilities import Home
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.db.spans import spans

SLICE_ROWS = 20_000
"""Most rows a transaction touches: a writer that meets them waits well under a second."""
GROUP_STREAMS = 500
"""Most streams looked at in one statement."""
ATTEMPTS = 5
"""Tries of a slice that deadlocks with a writer."""

_Place = tuple[int, datetime]
_Work = Callable[[AsyncConnection, dict[str, object]], Awaitable[int]]
"""Works on one slice in a transaction; returns how many rows it concerned."""
_BEGIN: _Place = (0, EPOCH)
_END: _Place = (2**31 - 1, datetime.max.replace(tzinfo=UTC))
_ALL_COLUMNS = sql.SQL(", ").join(sql.Identifier(f"v{i}") for i in range(PAGE_SLOTS))
_queries = load("twin", "deletion")


async def delete_readings(
    conn: AsyncConnection,
    home: Home,
    pages: Mapping[int, Sequence[int]],
    from_us: int,
    to_us: int,
    slot: int | None = None,
) -> int:
    """Delete the readings of [from_us, to_us) and return how many they were.

    `pages`: the stream ids to delete from, by page. With a `slot` only this slot of the readings is
    emptied, and those go that hold no other value; the result counts those that held one in it. `conn`
    is in autocommit mode and outside a transaction; its statement_timeout applies to a statement of a
    slice.
    """
    if home is Home.COMMUNITY:
        await conn.execute(_queries["allow_compressed"])
    worklist: list[tuple[int, _Work]]
    if slot is None:
        worklist = [(page, _deleted) for page in sorted(pages, reverse=True)]
    else:
        worklist = [(slot // PAGE_SLOTS, _emptier(slot))]
    removed = 0
    for page, work in worklist:
        streams = sorted(pages.get(page, ()))
        removed = 0
        for span in await spans(conn, home, from_us, to_us):
            begin = to_datetime(max(from_us, span.from_us))
            end = to_datetime(min(to_us, span.to_us))
            for start in range(0, len(streams), GROUP_STREAMS):
                group = streams[start : start + GROUP_STREAMS]
                where = {"streams": group, "from": begin, "to": end}
                removed += await _in_slices(conn, work, where)
    return removed


async def _in_slices(conn: AsyncConnection, work: _Work, where: dict[str, object]) -> int:
    """Do the work on the rows of `where` in order, at most SLICE_ROWS at a time."""
    changed = 0
    here = _BEGIN
    while True:
        place = where | {"stream": here[0], "ts": here[1], "rows": SLICE_ROWS}
        edge = await (await conn.execute(_queries["find_edge"], place)).fetchone()
        until = _END if edge is None else (edge[0], edge[1])
        place |= {"until_stream": until[0], "until_ts": until[1]}
        changed += await _slice(conn, work, place)
        if edge is None:
            return changed
        here = until


async def _slice(conn: AsyncConnection, work: _Work, place: dict[str, object]) -> int:
    attempts_left = ATTEMPTS
    while True:
        try:
            async with conn.transaction():
                return await work(conn, place)
        except psycopg.errors.DeadlockDetected:
            attempts_left -= 1
            if not attempts_left:
                raise


async def _deleted(conn: AsyncConnection, place: dict[str, object]) -> int:
    row = await (await conn.execute(_queries["delete_slice"], place)).fetchone()
    return 0 if row is None else int(row[0])


def _emptier(slot: int) -> _Work:
    """Return what empties a slot, and deletes the readings that hold nothing else."""
    column = sql.Identifier(f"v{slot % PAGE_SLOTS}")
    statement = _template("empty_slice").format(column=column, columns=_ALL_COLUMNS)

    async def emptied(conn: AsyncConnection, place: dict[str, object]) -> int:
        row = await (await conn.execute(statement, place)).fetchone()
        if row is None:
            return 0
        count, streams, times = row
        if streams:
            await _delete_bare(conn, streams, times, is_first_page=slot < PAGE_SLOTS)
        return int(count)

    return emptied


async def _delete_bare(
    conn: AsyncConnection, streams: list[int], times: list[datetime], *, is_first_page: bool
) -> None:
    """Delete the readings at places that were just emptied, unless another page holds a value."""
    bare: dict[str, object] = {"bare_streams": streams, "bare_times": times}
    bare |= {"from": min(times), "to": max(times)}
    await conn.execute(_queries["join_by_hash"])
    cursor = await conn.execute(_queries["all_pages"], bare)
    bare["streams"] = [stream for (stream,) in await cursor.fetchall()]
    if not is_first_page:  # else emptying has locked it
        await conn.execute(_queries["hold_readings"], bare)
    cursor = await conn.execute(_template("find_bare").format(columns=_ALL_COLUMNS), bare)
    row = await cursor.fetchone()
    if row is not None and row[0]:
        bare |= {"bare_streams": row[0], "bare_times": row[1]}
        await conn.execute(_template("delete_bare").format(columns=_ALL_COLUMNS), bare)


def _template(name: str) -> sql.SQL:
    return sql.SQL(_queries[name].decode())
