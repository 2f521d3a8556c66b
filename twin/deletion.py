"""Deleting readings, in bounded transactions that keep totals and rollups exact.

Each transaction removes rows of `readings`, logs the readings that went (page 0 has a row for each)
as a negative entry of `ingest_log`, and marks their hours dirty. Higher pages go first: a reading
counts until nothing of it is left. Stopping midway leaves a smaller job of the same kind.
"""

from collections.abc import Mapping, Sequence
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
_BEGIN: _Place = (0, EPOCH)
_END: _Place = (2**31 - 1, datetime.max.replace(tzinfo=UTC))
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

    `pages`: the stream ids to delete from, by page. With a `slot` the readings stay and only this
    slot of theirs is emptied; the result counts those that held a value in it. `conn` is in
    autocommit mode and outside a transaction; its statement_timeout applies to a slice at a time.
    """
    if home is Home.COMMUNITY:
        await conn.execute(_queries["allow_compressed"])
    if slot is None:
        worklist = [
            (page, _template("delete_slice").format()) for page in sorted(pages, reverse=True)
        ]
    else:
        column = sql.Identifier(f"v{slot % PAGE_SLOTS}")
        worklist = [(slot // PAGE_SLOTS, _template("empty_slice").format(column=column))]
    removed = 0
    for page, statement in worklist:
        streams = sorted(pages.get(page, ()))
        removed = 0
        for span in await spans(conn, home, from_us, to_us):
            begin = to_datetime(max(from_us, span.from_us))
            end = to_datetime(min(to_us, span.to_us))
            for start in range(0, len(streams), GROUP_STREAMS):
                group = streams[start : start + GROUP_STREAMS]
                where = {"streams": group, "from": begin, "to": end}
                removed += await _in_slices(conn, statement, where)
    return removed


async def _in_slices(
    conn: AsyncConnection, statement: sql.Composed, where: dict[str, object]
) -> int:
    """Run the statement over the rows of `where` in order, at most SLICE_ROWS at a time."""
    changed = 0
    here = _BEGIN
    while True:
        place = where | {"stream": here[0], "ts": here[1], "rows": SLICE_ROWS}
        edge = await (await conn.execute(_queries["find_edge"], place)).fetchone()
        until = _END if edge is None else (edge[0], edge[1])
        place |= {"until_stream": until[0], "until_ts": until[1]}
        changed += await _slice(conn, statement, place)
        if edge is None:
            return changed
        here = until


async def _slice(conn: AsyncConnection, statement: sql.Composed, place: dict[str, object]) -> int:
    attempts_left = ATTEMPTS
    while True:
        try:
            row = await (await conn.execute(statement, place)).fetchone()
            return 0 if row is None else int(row[0])
        except psycopg.errors.DeadlockDetected:
            attempts_left -= 1
            if not attempts_left:
                raise


def _template(name: str) -> sql.SQL:
    return sql.SQL(_queries[name].decode())
