"""Retention per datasource: readings older than `retention_days` go.

Where every datasource has a retention, a day that has expired for all of them is dropped whole,
which costs next to nothing. For that to happen the longest retention ends on a day's boundary: its
readings stay up to a day longer. All others are deleted to the microsecond, in bounded slices.
"""

from collections.abc import Mapping

import msgspec
import psycopg
import structlog
from psycopg import sql

from twin.clock import DAY_US, now_us, to_datetime
from twin.db.capabilities import Home
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.db.spans import Span, spans
from twin.deletion import delete_readings
from twin.ground import Ground
from twin.housekeeping import pages_of
from twin.jobs import Job, session
from twin.notify import DATA_TOPIC, encode_numbers

LOCK_TIMEOUT_MS = 500
"""Dropping waits no longer than this for readers and writers, who would queue behind it. Below
PostgreSQL's deadlock_timeout (1 s), so that never a writer is the victim."""

_log = structlog.get_logger(__name__)
_queries = load("twin", "housekeeping")


class Expiry(msgspec.Struct, frozen=True):
    """All before `drop_before_us` has expired, and a datasource's own before its cut-off."""

    drop_before_us: int
    cutoffs_us: dict[int, int]


def expiry(retention_days: Mapping[int, int | None], now_us: int) -> Expiry:
    """Return what has expired now, given each datasource's retention (None: for ever)."""
    kept = [days for days in retention_days.values() if days is not None]
    all_end = bool(kept) and len(kept) == len(retention_days)
    longest = max(kept, default=0)
    drop_before_us = (now_us - longest * DAY_US) // DAY_US * DAY_US if all_end else 0
    cutoffs_us = {
        no: drop_before_us if all_end and days == longest else now_us - days * DAY_US
        for no, days in retention_days.items()
        if days is not None
    }
    return Expiry(drop_before_us, cutoffs_us)


def retention_job(interval_s: float) -> Job:
    """Return the background job."""
    return Job("retention", interval_s, _run)


async def _run(ground: Ground) -> None:
    async with session(ground, "retention") as conn:
        changed = await apply_retention(conn, ground.capabilities.home, now_us())
    for datasource_no in changed:
        ground.versions.bump("data", datasource_no)
    for payload in encode_numbers(ground.versions.host, sorted(changed)):
        await ground.notifier.send(DATA_TOPIC, payload)


async def apply_retention(conn: AsyncConnection, home: Home, now_us: int) -> set[int]:
    """Remove what has expired: whole spans first, the rest in slices.

    Returns the numbers of the datasources that lost readings.
    """
    changed: set[int] = set()
    cursor = await conn.execute(_queries["retentions"])
    expired = expiry(dict(await cursor.fetchall()), now_us)
    for span in await spans(conn, home, 0, expired.drop_before_us):
        if span.to_us <= expired.drop_before_us:
            changed |= await _drop(conn, home, span)
    for datasource_no, cutoff_us in expired.cutoffs_us.items():
        pages = await pages_of(conn, datasource_no)
        if await delete_readings(conn, home, pages, 0, cutoff_us):
            changed.add(datasource_no)
    return changed


async def _drop(conn: AsyncConnection, home: Home, span: Span) -> set[int]:
    """Count and drop a span in one transaction. One that is busy is left to the slices.

    Returns the datasources that had readings in it.
    """
    relation = sql.Identifier(span.schema, span.table)
    try:
        async with conn.transaction():
            await conn.execute(_queries["limit_lock_wait"], [f"{LOCK_TIMEOUT_MS}ms"])
            await conn.execute(_on(relation, "lock_span"))
            settled = await conn.execute(_on(relation, "settle_span"))
            owners = {int(row[0]) for row in await settled.fetchall()}
            if home is Home.NATIVE:
                await conn.execute(_on(relation, "drop_partition"))
            else:
                bounds = {"from": to_datetime(span.from_us), "to": to_datetime(span.to_us)}
                await conn.execute(_queries["drop_chunk"], bounds)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        _log.info("retention_span_busy", span=span.table)
        return set()
    return owners


def _on(relation: sql.Identifier, name: str) -> sql.Composed:
    return sql.SQL(_queries[name].decode()).format(relation=relation)
