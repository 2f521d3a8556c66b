"""Keeps the views in step with the datasources' keys, in the background.

Invariant: a view is changed in a short transaction of its own with a `lock_timeout`, never on the way
of a reading; one that somebody is reading for long is changed at a later run.
"""

from typing import Any
from uuid import UUID

import msgspec
import psycopg
import structlog

from twin.db.migrate import SCHEMA
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.ground import Ground
from twin.jobs import Job, session
from twin.schema import DataKey
from twin.sqlviews.definition import create_view, drop_view, grant_view
from twin.sqlviews.names import other_view_name, role_name, view_name

INTERVAL_S = 10.0
LOCK_TIMEOUT = "2s"
"""Queries of a view wait behind its change at most this long."""
BATCH = 200
"""Most views made, and most dropped, in a run."""

_log = structlog.get_logger("twin.sqlviews")
_queries = load("twin", "sqlviews")
_schema_queries = load("twin", "schema")


class Wanted(msgspec.Struct, frozen=True):
    """A view to make or to change; `name` is None for a new one."""

    no: int
    id: UUID
    datasource: str
    environment: str
    tenant_id: str
    name: str | None
    shape: str


def sql_views_job() -> Job:
    """Return the job."""
    return Job("sql views", INTERVAL_S, _run)


async def _run(ground: Ground) -> None:
    async with session(ground, "sql views", lock_timeout=LOCK_TIMEOUT) as conn:
        await keep_views(conn)


async def keep_views(conn: AsyncConnection) -> None:
    """Drop, make and change what is out of step. A view that cannot be had now is left as it is."""
    for no, name in await (await conn.execute(_queries["to_drop"], [BATCH])).fetchall():
        await _try(conn, name, _drop(conn, no, name))
    for row in await (await conn.execute(_queries["to_make"], [BATCH])).fetchall():
        wanted = Wanted(*row)
        await _try(conn, wanted.name or wanted.datasource, _make(conn, wanted))


async def _try(conn: AsyncConnection, name: str, step: Any) -> None:
    try:
        async with conn.transaction():
            await step
    except (
        psycopg.errors.LockNotAvailable,
        psycopg.errors.DeadlockDetected,
        psycopg.errors.DependentObjectsStillExist,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.TooManyColumns,
    ) as exc:
        _log.warning("view_not_changed", view=name, reason=str(exc).splitlines()[0])


async def _drop(conn: AsyncConnection, no: int, name: str) -> None:
    await conn.execute(drop_view(name))
    await conn.execute(_queries["forget"], [no])


async def _make(conn: AsyncConnection, wanted: Wanted) -> None:
    rows = await (await conn.execute(_schema_queries["data_keys"], [wanted.no])).fetchall()
    keys = [DataKey(*row) for row in rows]
    name = wanted.name or await _free_name(conn, wanted)
    statement = create_view(SCHEMA, name, wanted.no, keys)
    try:
        async with conn.transaction():
            await conn.execute(statement)
    except psycopg.errors.InvalidTableDefinition:  # a key's kind, and so a column's type, changed
        await conn.execute(drop_view(name))
        await conn.execute(statement)
    role = role_name(wanted.tenant_id, wanted.environment)
    if await _is_true(conn, "role_exists", [role]):
        await conn.execute(grant_view(name, role))
    await conn.execute(_queries["keep"], {"no": wanted.no, "name": name, "shape": wanted.shape})


async def _free_name(conn: AsyncConnection, wanted: Wanted) -> str:
    name = view_name(wanted.datasource, wanted.environment)
    if await _is_true(conn, "is_taken", {"name": name}):
        return other_view_name(name, wanted.id)
    return name


async def _is_true(conn: AsyncConnection, query: str, params: Any) -> bool:
    row = await (await conn.execute(_queries[query], params)).fetchone()
    return bool(row and row[0])
