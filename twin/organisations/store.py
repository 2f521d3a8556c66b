"""Organisations in the database: made and listed by the operator, changed by their own admins."""

from typing import Any

import msgspec
from msgspec import UNSET

from twin import audit
from twin.db.errors import driver_errors
from twin.db.queries import load
from twin.errors import Conflict, Forbidden
from twin.ground import Ground
from twin.keys.bootstrap import FIRST_KEY, INSERT_KEY, SCOPES, NewKey, key_values
from twin.keys.directory import TOPIC
from twin.keys.secrets import new_id, new_management_secret
from twin.notify import send_on
from twin.organisations.model import (
    CreatedOrganisation,
    NewOrganisation,
    Organisation,
    OrganisationPatch,
    check_origins,
)
from twin.paging import Page
from twin.principal import Principal

KIND = "organisation"
_SQL = load("twin", "organisations")
_KEYS = load("twin", "keys")


async def create(ground: Ground, principal: Principal, new: NewOrganisation) -> CreatedOrganisation:
    """Make an organisation with a first admin key. Raises Forbidden, Conflict at the bound."""
    principal.require_operator()
    most = ground.settings.max_organisations
    tenant_id, secret = new_id("org"), new_management_secret("live")
    values = {"tenant_id": tenant_id, "name": new.name, "most": most}
    with driver_errors():
        async with ground.pool.everyone() as conn, conn.transaction():
            row = await (await conn.execute(_SQL["insert_organisation"], values)).fetchone()
            if row is None:
                raise Conflict(f"This server has {most} organisations, the most.")
            key = key_values(int(row[0]), FIRST_KEY, SCOPES, secret)
            for name in INSERT_KEY:
                await conn.execute(_KEYS[name], key)
            told = {"name": new.name, "key_id": key["key_id"]}
            await audit.record(conn, principal, "create", KIND, tenant_id, told)
    shown = msgspec.structs.asdict(_organisation(row))
    return CreatedOrganisation(**shown, key=NewKey(str(key["key_id"]), secret, tenant_id))


async def page(ground: Ground, principal: Principal, limit: int, offset: int) -> Page[Organisation]:
    """Return the server's organisations, oldest first. Raises Forbidden."""
    principal.require_operator()
    values = {"limit": limit, "offset": offset}
    with driver_errors():
        async with ground.pool.everyone() as conn:
            rows = await (await conn.execute(_SQL["list_organisations"], values)).fetchall()
            total = await (await conn.execute(_SQL["count_organisations"])).fetchone()
    items = [_organisation(row) for row in rows]
    return Page(items, total[0] if total else 0, limit, offset)


async def get_own(ground: Ground, principal: Principal) -> Organisation:
    """Return the principal's own organisation."""
    principal.require("read")
    with driver_errors():
        async with ground.pool.bound(principal) as conn:
            cursor = await conn.execute(_SQL["get_organisation"], principal.scope)
            return _organisation(await cursor.fetchone())


async def patch_own(ground: Ground, principal: Principal, patch: OrganisationPatch) -> Organisation:
    """Change the principal's own organisation. Raises Forbidden, Invalid."""
    principal.require("admin")
    if principal.environment != "live":
        raise Forbidden("A test key cannot change what live keys meet.")
    given = {k: v for k, v in msgspec.structs.asdict(patch).items() if v is not UNSET}
    check_origins(given.get("allowed_origins", []))
    unchanged = dict.fromkeys(patch.__struct_fields__)
    values = {**unchanged, **given, **principal.scope}
    with driver_errors():
        async with ground.pool.bound(principal) as conn, conn.transaction():
            row = await (await conn.execute(_SQL["update_organisation"], values)).fetchone()
            await audit.record(conn, principal, "update", KIND, principal.tenant_id, given)
            await send_on(conn, TOPIC)
    ground.keys.forget()
    return _organisation(row)


def _organisation(row: tuple[Any, ...] | None) -> Organisation:
    assert row is not None
    return Organisation(**dict(zip(Organisation.__struct_fields__, row[1:], strict=True)))
