"""Keeps the bookkeeping small: folds `ingest_log` into totals, and purges deleted datasources.

Invariant: `datasource_totals` plus the sum of `ingest_log` is the number of stored readings at
every moment. Entries move from one to the other within a statement.
"""

from collections.abc import Sequence

from twin.clock import DAY_US, SECOND_US, now_us, to_datetime
from twin.db.capabilities import Home
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.deletion import delete_readings
from twin.ground import Ground
from twin.jobs import Job, session

FOLD_INTERVAL_S = 5.0
"""Bounds what reading a total has to add up to a few seconds of batches."""
FOLD_ENTRIES = 10_000
"""Most entries folded by a statement."""
PURGE_INTERVAL_S = 10.0
PURGE_GRACE_US = 10 * SECOND_US
"""Time for every worker to hear of the deletion and to finish what it was writing."""
PURGE_DATASOURCES = 100
"""Most datasources purged in a run."""

_queries = load("twin", "housekeeping")


def housekeeping_jobs() -> list[Job]:
    """Return the folding and the purging job."""
    return [
        Job("fold", FOLD_INTERVAL_S, _run_fold),
        Job("purge", PURGE_INTERVAL_S, _run_purge),
    ]


async def _run_fold(ground: Ground) -> None:
    async with session(ground, "fold") as conn:
        while await fold(conn):
            pass


async def _run_purge(ground: Ground) -> None:
    async with session(ground, "purge") as conn:
        await purge_deleted(conn, ground.capabilities.home, now_us())


async def fold(conn: AsyncConnection, most: int = FOLD_ENTRIES) -> bool:
    """Fold the oldest entries of `ingest_log`. Returns whether there may be more.

    Two at once are safe: the second waits for the first one's entries and finds them gone.
    """
    row = await (await conn.execute(_queries["fold"], [most])).fetchone()
    return row is not None and int(row[0]) >= most


async def purge_deleted(conn: AsyncConnection, home: Home, now_us: int) -> int:
    """Remove datasources that were deleted a while ago, readings first. Returns how many.

    A datasource whose readings were still growing is left for the next run.
    """
    before = to_datetime(now_us - PURGE_GRACE_US)
    cursor = await conn.execute(_queries["deleted_datasources"], [before, PURGE_DATASOURCES])
    purged = 0
    for (datasource_no,) in await cursor.fetchall():
        pages = await pages_of(conn, datasource_no)
        # Readings may lie a day ahead of the clock; a second day covers a clock set back.
        if not await delete_readings(conn, home, pages, 0, now_us + 2 * DAY_US):
            await conn.execute(_queries["purge_datasource"], {"no": datasource_no})
            purged += 1
    return purged


async def pages_of(conn: AsyncConnection, datasource_no: int) -> dict[int, Sequence[int]]:
    """Return a datasource's stream ids by page."""
    cursor = await conn.execute(_queries["pages"], [datasource_no])
    return dict(await cursor.fetchall())
