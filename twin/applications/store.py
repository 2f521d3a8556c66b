"""Applications in the database, within one organisation and environment."""

from typing import Any

import msgspec
from msgspec import UNSET

from twin import audit
from twin.applications.model import Application, ApplicationPatch, NewApplication
from twin.db.errors import driver_errors
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.errors import Conflict, NotFound
from twin.ground import Ground
from twin.keys.directory import TOPIC
from twin.keys.secrets import digest, new_application_secret, new_id
from twin.notify import send_on
from twin.paging import Page
from twin.principal import Principal

KIND = "application"
NO_APPLICATION = "There is no application with this id."
_SQL = load("twin", "applications")


class ApplicationStore:
    """The applications within a principal's reach. Raises NotFound for any other."""

    def __init__(self, ground: Ground, principal: Principal) -> None:
        """Act for a principal, who must be an admin. Raises Forbidden."""
        principal.require("admin")
        self._ground = ground
        self._principal = principal
        self._scope = principal.scope

    async def create(self, new: NewApplication) -> tuple[Application, str]:
        """Store an application; return it with its token. Raises Conflict at the bound."""
        most = self._ground.settings.max_applications
        secret, id_ = new_application_secret(), new_id("app")
        values = {
            **self._scope,
            **msgspec.structs.asdict(new),
            "id": id_,
            "secret_hash": digest(secret),
        }
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["lock_organisation"], self._scope)
                row = await (await conn.execute(_SQL["count_applications"], self._scope)).fetchone()
                if row is not None and row[0] >= most:
                    raise Conflict(f"The organisation has {most} applications, the most.")
                row = await (await conn.execute(_SQL["insert_application"], values)).fetchone()
                await conn.execute(_SQL["insert_application_secret"], values)
                await audit.record(conn, self._principal, "create", KIND, id_, new)
        return _application(row), secret

    async def page(self, limit: int, offset: int) -> Page[Application]:
        """Return applications in the order of their creation."""
        values = {**self._scope, "limit": limit, "offset": offset}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                rows = await (await conn.execute(_SQL["list_applications"], values)).fetchall()
                total = await (await conn.execute(_SQL["count_applications"], values)).fetchone()
        items = [_application(row) for row in rows]
        return Page(items, total[0] if total else 0, limit, offset)

    async def get(self, id_: str) -> Application:
        """Return an application."""
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                return await self._get(conn, id_)

    async def patch(self, id_: str, patch: ApplicationPatch) -> Application:
        """Change an application."""
        given = {k: v for k, v in msgspec.structs.asdict(patch).items() if v is not UNSET}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                old = await self._get(conn, id_)
                values = {**self._scope, **msgspec.structs.asdict(old), **given}
                row = await (await conn.execute(_SQL["update_application"], values)).fetchone()
                await audit.record(conn, self._principal, "update", KIND, id_, given)
                await send_on(conn, TOPIC)
        self._ground.keys.forget()
        return _application(row)

    async def delete(self, id_: str) -> None:
        """Make an application's token invalid for ever."""
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                old = await self._get(conn, id_)
                await conn.execute(_SQL["delete_application"], {**self._scope, "id": id_})
                told = {"name": old.name}
                await audit.record(conn, self._principal, "delete", KIND, id_, told)
                await send_on(conn, TOPIC)
        self._ground.keys.forget()

    async def rotate(self, id_: str, grace_seconds: int) -> tuple[Application, str]:
        """Give an application a new token; the old ones stay valid for the grace."""
        secret = new_application_secret()
        values = {"id": id_, "grace_seconds": grace_seconds, "secret_hash": digest(secret)}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                found = await self._get(conn, id_)
                await conn.execute(_SQL["rotate_application"], values)
                told = {"grace_seconds": grace_seconds}
                await audit.record(conn, self._principal, "rotate", KIND, id_, told)
                await send_on(conn, TOPIC)
        self._ground.keys.forget()
        return found, secret

    async def _get(self, conn: AsyncConnection, id_: str) -> Application:
        if "\x00" in id_:
            raise NotFound(NO_APPLICATION)
        values = {**self._scope, "id": id_}
        row = await (await conn.execute(_SQL["get_application"], values)).fetchone()
        if row is None:
            raise NotFound(NO_APPLICATION)
        return _application(row)


def _application(row: tuple[Any, ...] | None) -> Application:
    assert row is not None
    return Application(**dict(zip(Application.__struct_fields__, row, strict=True)))
