"""Management keys in the database.

Invariant: an organisation never loses its last working admin key through the API. A live admin key
manages the keys of both environments, which it may also make; a test key sees test keys alone.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from twin import audit
from twin.db.errors import driver_errors
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.errors import Conflict, Forbidden, NotFound
from twin.ground import Ground
from twin.keys.bootstrap import INSERT_KEY, KIND, key_values
from twin.keys.directory import TOPIC
from twin.keys.model import ManagementKey, ManagementKeyPatch, NewManagementKey
from twin.keys.secrets import digest, new_management_secret
from twin.notify import send_on
from twin.principal import Principal

NO_KEY = "There is no management key with this id."
_SQL = load("twin", "management")
_KEYS = load("twin", "keys")


class ManagementKeyStore:
    """The management keys within a principal's reach. Raises NotFound for any other."""

    def __init__(self, ground: Ground, principal: Principal) -> None:
        """Act for a principal, who must be an admin. Raises Forbidden."""
        principal.require("admin")
        self._ground = ground
        self._principal = principal
        environment = None if principal.environment == "live" else principal.environment
        self._scope = {"org_id": principal.org_id, "environment": environment}

    async def create(self, new: NewManagementKey) -> tuple[ManagementKey, str]:
        """Store a key; return it with its secret. Raises Forbidden, Conflict at the bound."""
        principal = self._principal
        environment = principal.environment if new.environment is UNSET else new.environment
        if environment == "live" and principal.environment != "live":
            raise Forbidden("A test key cannot make a live key.")
        most = self._ground.settings.max_management_keys
        secret = new_management_secret(environment)
        values = key_values(
            principal.org_id,
            new.name,
            new.scopes,
            secret,
            rate_limit=new.rate_limit,
            expires_in_days=new.expires_in_days,
        )
        key_id = str(values["key_id"])
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["lock_organisation"], self._scope)
                everywhere = {**self._scope, "environment": None}
                row = await (await conn.execute(_SQL["count_keys"], everywhere)).fetchone()
                if row is not None and row[0] >= most:
                    raise Conflict(f"The organisation has {most} management keys, the most.")
                for name in INSERT_KEY:
                    await conn.execute(_KEYS[name], values)
                told = {**msgspec.structs.asdict(new), "environment": environment}
                await audit.record(conn, principal, "create", KIND, key_id, told)
                key = await self._get(conn, key_id)
        return key, secret

    async def page(self, limit: int, offset: int) -> tuple[list[ManagementKey], int]:
        """Return keys in the order of their creation, and how many there are."""
        values = {**self._scope, "limit": limit, "offset": offset}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                rows = await (await conn.execute(_SQL["list_keys"], values)).fetchall()
                total = await (await conn.execute(_SQL["count_keys"], values)).fetchone()
        return [_key(row) for row in rows], total[0] if total else 0

    async def get(self, key_id: str) -> ManagementKey:
        """Return a key."""
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                return await self._get(conn, key_id)

    async def patch(self, key_id: str, patch: ManagementKeyPatch) -> ManagementKey:
        """Change a key. Raises Conflict where no admin key would remain."""
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["lock_organisation"], self._scope)
                old = await self._get(conn, key_id)
                given = {k: v for k, v in msgspec.structs.asdict(patch).items() if v is not UNSET}
                new = {**msgspec.structs.asdict(old), **given}
                remains = new["is_active"] and "admin" in new["scopes"]
                if not remains or given.get("expires_in_days") is not None:
                    await self._refuse_last(conn, old)
                values = {
                    **new,
                    "scopes": _ordered(new["scopes"]),
                    "new_expiry": "expires_in_days" in given,
                    "expires_in_days": given.get("expires_in_days"),
                }
                await conn.execute(_SQL["update_key"], values)
                await audit.record(conn, self._principal, "update", KIND, key_id, given)
                await send_on(conn, TOPIC)
                key = await self._get(conn, key_id)
        self._ground.keys.forget()
        return key

    async def delete(self, key_id: str) -> None:
        """Make a key invalid for ever. Raises Conflict for the last admin key."""
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["lock_organisation"], self._scope)
                old = await self._get(conn, key_id)
                await self._refuse_last(conn, old)
                await conn.execute(_SQL["delete_key"], {"key_id": key_id})
                told = {"name": old.name}
                await audit.record(conn, self._principal, "delete", KIND, key_id, told)
                await send_on(conn, TOPIC)
        self._ground.keys.forget()

    async def rotate(self, key_id: str, grace_seconds: int) -> tuple[ManagementKey, str]:
        """Give a key a new secret; the old ones stay valid for the grace."""
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["lock_organisation"], self._scope)
                key = await self._get(conn, key_id)
                secret = new_management_secret(key.environment)
                values = {
                    "key_id": key_id,
                    "grace_seconds": grace_seconds,
                    "secret_hash": digest(secret),
                }
                await conn.execute(_SQL["rotate_key"], values)
                told = {"grace_seconds": grace_seconds}
                await audit.record(conn, self._principal, "rotate", KIND, key_id, told)
                await send_on(conn, TOPIC)
        self._ground.keys.forget()
        return key, secret

    async def _get(self, conn: AsyncConnection, key_id: str) -> ManagementKey:
        if "\x00" in key_id:
            raise NotFound(NO_KEY)
        values = {**self._scope, "key_id": key_id}
        row = await (await conn.execute(_SQL["get_key"], values)).fetchone()
        if row is None:
            raise NotFound(NO_KEY)
        return _key(row)

    async def _refuse_last(self, conn: AsyncConnection, key: ManagementKey) -> None:
        """Raise Conflict if a key is the organisation's only working live admin key."""
        if not (key.is_active and key.environment == "live" and "admin" in key.scopes):
            return
        values = {"org_id": self._principal.org_id, "key_id": key.key_id}
        row = await (await conn.execute(_SQL["other_admin_keys"], values)).fetchone()
        if row is not None and not row[0]:
            raise Conflict(
                "This is the organisation's last admin key: make another before it is deleted, "
                "disabled, given an expiry or fewer scopes."
            )


def _ordered(scopes: Sequence[str]) -> list[str]:
    return [scope for scope in ("admin", "read", "write") if scope in scopes]


def _key(row: tuple[Any, ...]) -> ManagementKey:
    return ManagementKey(**dict(zip(ManagementKey.__struct_fields__, row, strict=True)))
