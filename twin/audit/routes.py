"""HTTP: /v1/audit, the trail of changes, newest first, as pages of JSON or as CSV."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import Parameter
from litestar.response import Stream

from twin.csv_text import lines
from twin.db.errors import driver_errors
from twin.db.queries import load
from twin.ground import Ground
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal

EXPORT_ROWS = 1000
"""Entries read at a time for an export: what of it is in memory."""

Kind = Annotated[str | None, Parameter(description="of what was changed, such as 'datasource'")]
Id = Annotated[str | None, Parameter(description="of what was changed")]
Action = Annotated[str | None, Parameter(description="create, update, delete, rotate, …")]
Actor = Annotated[str | None, Parameter(description="id of the key that made the change")]
From = Annotated[datetime | None, Parameter(query="from", description="entries from then on")]
To = Annotated[datetime | None, Parameter(description="entries before then")]

_SQL = load("twin", "audit")


class Entry(msgspec.Struct):
    """One change: by whom, when, from which address, of what; the fields given, without secrets."""

    id: int
    at: datetime
    actor_kind: str
    actor_id: str
    actor_name: str
    address: str
    action: str
    object_kind: str
    object_id: str
    changes: dict[str, Any]


class Wanted(msgspec.Struct, frozen=True):
    """Which entries to show; None: all."""

    object_kind: str | None
    object_id: str | None
    action: str | None
    actor_id: str | None
    from_: datetime | None
    to: datetime | None

    def values(self, principal: Principal) -> dict[str, Any]:
        """Return the parameters of the queries; no text holds NUL, so none is found by one."""
        fields = {k.rstrip("_"): v for k, v in msgspec.structs.asdict(self).items()}
        clean = {k: v.replace("\x00", "�") if isinstance(v, str) else v for k, v in fields.items()}
        return {**principal.scope, **clean, "before": None}


@get("/v1/audit", tags=["audit"])
async def list_entries(
    ground: Ground,
    principal: Principal,
    object_kind: Kind = None,
    object_id: Id = None,
    action: Action = None,
    actor_id: Actor = None,
    from_: From = None,
    to: To = None,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[Entry]:
    """List changes, newest first. Admin keys only."""
    principal.require("admin")
    asked = Wanted(object_kind, object_id, action, actor_id, from_, to)
    values = {**asked.values(principal), "limit": limit, "offset": offset}
    with driver_errors():
        async with ground.pool.bound(principal) as conn:
            rows = await (await conn.execute(_SQL["list_entries"], values)).fetchall()
            total = await (await conn.execute(_SQL["count_entries"], values)).fetchone()
    return Page([Entry(*row) for row in rows], total[0] if total else 0, limit, offset)


CSV_HEADERS = {
    "Content-Type": "text/csv; charset=utf-8",  # as media_type it would get a second charset
    "Content-Disposition": 'attachment; filename="audit.csv"',
}


@get("/v1/audit/export", tags=["audit"])
async def export_entries(
    ground: Ground,
    principal: Principal,
    object_kind: Kind = None,
    object_id: Id = None,
    action: Action = None,
    actor_id: Actor = None,
    from_: From = None,
    to: To = None,
) -> Stream:
    """Stream changes as CSV, newest first. Admin keys only."""
    principal.require("admin")
    values = Wanted(object_kind, object_id, action, actor_id, from_, to).values(principal)
    return Stream(_csv(ground, principal, values), headers=CSV_HEADERS)


async def _csv(ground: Ground, principal: Principal, values: dict[str, Any]) -> AsyncIterator[str]:
    yield lines([Entry.__struct_fields__])
    before = None
    while True:
        page = {**values, "before": before, "limit": EXPORT_ROWS, "offset": 0}
        with driver_errors():
            async with ground.pool.bound(principal) as conn:
                rows = await (await conn.execute(_SQL["list_entries"], page)).fetchall()
        if rows:
            yield lines(rows)
        if len(rows) < EXPORT_ROWS:
            return
        before = rows[-1][0]


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [list_entries, export_entries]
