"""Datasources and their ingest keys in the database, always within one principal's reach."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg import sql as pgsql

from twin import audit
from twin.datasources.model import (
    DataKeyPatch,
    DatasourcePatch,
    Device,
    IngestKey,
    NewDatasource,
    NewIngestKey,
    SeenDataKey,
    check_timezone,
)
from twin.db.errors import driver_errors
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.errors import Conflict, Invalid, ItemError, NotFound
from twin.ground import Ground
from twin.keys.directory import TOPIC as KEYS_TOPIC
from twin.keys.secrets import digest, new_id, new_ingest_secret
from twin.notify import send_on
from twin.principal import Principal
from twin.schema import DatasourceSchema
from twin.schema.directory import NO_DATASOURCE

KIND = "datasource"
KEY_KIND = "ingest key"
LIMITS = ("readings_per_second", "bytes_per_second")
NO_KEY = "There is no key with this id."
_SQL = load("twin", "datasources")
_KEYS = load("twin", "keys")


class DatasourceStore:
    """Reads and changes datasources. Every method raises NotFound for what is not the principal's."""

    def __init__(self, ground: Ground) -> None:
        """Work on the ground's database."""
        self._ground = ground

    async def create(
        self, principal: Principal, new: NewDatasource
    ) -> tuple[DatasourceSchema, IngestKey, str]:
        """Store a datasource with a first ingest key; return schema, key and the key's secret."""
        check_timezone(new.timezone)
        self._check_keys(new)
        id_, secret = uuid4(), new_ingest_secret()
        values = {
            "id": id_,
            "org_id": principal.org_id,
            "environment": principal.environment,
            "name": new.name,
            "description": new.description,
            "timezone": new.timezone,
            "retention_days": new.retention_days,
            "readings_per_second": new.readings_per_second,
            "bytes_per_second": new.bytes_per_second,
            "most": self._ground.settings.max_datasources,
        }
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn, conn.transaction():
                row = await (await conn.execute(_SQL["insert_datasource"], values)).fetchone()
                if row is None:
                    raise Conflict(f"The organisation has {values['most']} datasources, the most.")
                keys = new.data_keys
                declared = {
                    "no": row[0],
                    "keys": [k.key for k in keys],
                    "kinds": [k.kind for k in keys],
                    "units": [k.unit for k in keys],
                    "labels": [k.label for k in keys],
                }
                await conn.execute(_SQL["insert_data_keys"], declared)
                key = await self._insert_key(conn, row[0], NewIngestKey("default"), secret)
                await audit.record(conn, principal, "create", KIND, id_, new)
        return await self._ground.schemas.get(id_, principal), key, secret

    async def page(
        self, principal: Principal, limit: int, offset: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Return datasources as columns by name, in order of creation, and how many there are."""
        scope = [principal.org_id, principal.environment]
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn:
                cursor = await conn.execute(_SQL["list_datasources"], [*scope, limit, offset])
                rows = [_as_dict(cursor.description, row) for row in await cursor.fetchall()]
                total = await (await conn.execute(_SQL["count_datasources"], scope)).fetchone()
        return rows, total[0] if total else 0

    async def get(self, principal: Principal, id_: UUID) -> dict[str, Any]:
        """Return a datasource's columns by name."""
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn:
                cursor = await conn.execute(
                    _SQL["get_datasource"], [principal.org_id, principal.environment, id_]
                )
                row = await cursor.fetchone()
                if row is None:
                    raise NotFound(NO_DATASOURCE)
                return _as_dict(cursor.description, row)

    async def learned(self, principal: Principal, no: int) -> dict[str, Any]:
        """Return data_keys, the first devices, last_reading_at and readings_total."""
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn:
                keys = await (await conn.execute(_SQL["data_keys_seen"], {"no": no})).fetchall()
                total = await (await conn.execute(_SQL["readings_total"], {"no": no})).fetchone()
                last = await (await conn.execute(_SQL["last_reading_at"], [no])).fetchone()
                devices, count = await self._devices(conn, no, 100, 0)
        return {
            "data_keys": [SeenDataKey(*row) for row in keys],
            "devices": devices,
            "devices_total": count,
            "last_reading_at": last[0] if last else None,
            "readings_total": int(total[0]) if total else 0,
        }

    async def devices(
        self, principal: Principal, no: int, limit: int, offset: int
    ) -> tuple[list[Device], int]:
        """Return devices in the order of their first reading, and how many there are."""
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn:
                return await self._devices(conn, no, limit, offset)

    async def patch(self, principal: Principal, id_: UUID, patch: DatasourcePatch) -> None:
        """Change what the patch names."""
        changes = {k: v for k, v in msgspec.structs.asdict(patch).items() if v is not msgspec.UNSET}
        if isinstance(patch.timezone, str):
            check_timezone(patch.timezone)
        schema = await self._ground.schemas.get_for(principal, id_)
        if changes:
            where = {"datasource_no": schema.no}
            with driver_errors():
                async with self._ground.pool.bound(principal) as conn, conn.transaction():
                    await self._update(conn, "datasources", changes, where, touch=True)
                    await audit.record(conn, principal, "update", KIND, id_, changes)
                    if not changes.keys().isdisjoint(LIMITS):
                        await send_on(conn, KEYS_TOPIC)  # what a key allows carries them
            self._ground.keys.forget()
            await self._ground.schemas.moved(schema.no)

    async def patch_key(
        self, principal: Principal, schema: DatasourceSchema, key: str, patch: DataKeyPatch
    ) -> None:
        """Change a data key. Raises Conflict for a kind while the key holds values."""
        if key not in schema.keys:
            raise NotFound(f"This datasource has no key '{key[:200]}'.")
        changes = {k: v for k, v in msgspec.structs.asdict(patch).items() if v is not msgspec.UNSET}
        kind = changes.get("kind")
        if (
            kind is not None
            and kind != schema.keys[key].kind
            and await self._holds(principal, schema, key)
        ):
            raise Conflict(f"The kind of '{key}' cannot change while it holds values.")
        if changes:
            where = {"datasource_no": schema.no, "key": key}
            with driver_errors():
                async with self._ground.pool.bound(principal) as conn, conn.transaction():
                    await self._update(conn, "data_keys", changes, where)
                    told = {"key": key, **changes}
                    await audit.record(conn, principal, "update data key", KIND, schema.id, told)
            await self._ground.schemas.moved(schema.no)

    async def delete(self, principal: Principal, id_: UUID) -> None:
        """Make a datasource and its keys invalid at once; its readings go in the background."""
        scope = [principal.org_id, principal.environment, id_]
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn, conn.transaction():
                row = await (await conn.execute(_SQL["delete_datasource"], scope)).fetchone()
                if row is None:
                    raise NotFound(NO_DATASOURCE)
                await audit.record(conn, principal, "delete", KIND, id_)
                await send_on(conn, KEYS_TOPIC)
        self._ground.keys.forget()
        self._ground.versions.bump("data", row[0])
        self._ground.versions.bump("alerts", row[0])
        await self._ground.schemas.moved(row[0])

    async def ingest_keys(self, principal: Principal, no: int) -> list[IngestKey]:
        """Return a datasource's ingest keys."""
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn:
                rows = await (await conn.execute(_KEYS["list_ingest_keys"], [no])).fetchall()
        return [_ingest_key(row) for row in rows]

    async def add_ingest_key(
        self, principal: Principal, schema: DatasourceSchema, new: NewIngestKey
    ) -> tuple[IngestKey, str]:
        """Store another ingest key; return it with its secret."""
        secret = new_ingest_secret()
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn, conn.transaction():
                key = await self._insert_key(conn, schema.no, new, secret)
                told = {"datasource_id": schema.id, **msgspec.structs.asdict(new)}
                await audit.record(conn, principal, "create", KEY_KIND, key.key_id, told)
        return key, secret

    async def rotate_ingest_key(
        self, principal: Principal, schema: DatasourceSchema, key_id: str, grace_seconds: int
    ) -> tuple[IngestKey, str]:
        """Give a key a new secret; the old ones stay valid for the grace."""
        secret = new_ingest_secret()
        values = {
            "datasource_no": schema.no,
            "key_id": key_id,
            "grace_seconds": grace_seconds,
            "secret_hash": digest(secret),
        }
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn, conn.transaction():
                row = await (await conn.execute(_KEYS["rotate_ingest_key"], values)).fetchone()
                if row is None:
                    raise NotFound(NO_KEY)
                told = {"datasource_id": schema.id, "grace_seconds": grace_seconds}
                await audit.record(conn, principal, "rotate", KEY_KIND, key_id, told)
                await send_on(conn, KEYS_TOPIC)
        self._ground.keys.forget()
        return _ingest_key(row), secret

    async def delete_ingest_key(
        self, principal: Principal, schema: DatasourceSchema, key_id: str
    ) -> None:
        """Make an ingest key invalid."""
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn, conn.transaction():
                cursor = await conn.execute(_KEYS["delete_ingest_key"], [schema.no, key_id])
                if cursor.rowcount == 0:
                    raise NotFound(NO_KEY)
                told = {"datasource_id": schema.id}
                await audit.record(conn, principal, "delete", KEY_KIND, key_id, told)
                await send_on(conn, KEYS_TOPIC)
        self._ground.keys.forget()

    async def note_removal(
        self, principal: Principal, schema: DatasourceSchema, asked: dict[str, str | None]
    ) -> None:
        """Say in the audit trail which readings were told to go, before they do."""
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn:
                await audit.record(conn, principal, "delete readings", KIND, schema.id, asked)

    async def _insert_key(
        self, conn: AsyncConnection, no: int, new: NewIngestKey, secret: str
    ) -> IngestKey:
        most = self._ground.settings.max_ingest_keys
        values = {
            "key_id": new_id("ik"),
            "datasource_no": no,
            "name": new.name,
            "expires_in_days": new.expires_in_days,
            "secret_hash": digest(secret),
            "most": most,
        }
        row = await (await conn.execute(_KEYS["insert_ingest_key"], values)).fetchone()
        if row is None:
            raise Conflict(f"The datasource has {most} ingest keys, the most.")
        await conn.execute(_KEYS["insert_ingest_secret"], values)
        return _ingest_key(row)

    async def _devices(
        self, conn: AsyncConnection, no: int, limit: int, offset: int
    ) -> tuple[list[Device], int]:
        rows = await (await conn.execute(_SQL["list_devices"], [no, limit, offset])).fetchall()
        count = await (await conn.execute(_SQL["count_devices"], [no])).fetchone()
        return [Device(*row) for row in rows], count[0] if count else 0

    async def _holds(self, principal: Principal, schema: DatasourceSchema, key: str) -> bool:
        data_key = schema.keys[key]
        query = pgsql.SQL(_SQL["slot_holds_value"].decode()).format(
            column=pgsql.Identifier(f"v{data_key.column}")
        )
        with driver_errors():
            async with self._ground.pool.bound(principal) as conn:
                values = {"no": schema.no, "page": data_key.page}
                row = await (await conn.execute(query, values)).fetchone()
        return bool(row and row[0])

    async def _update(
        self,
        conn: AsyncConnection,
        table: str,
        changes: dict[str, Any],
        where: dict[str, Any],
        *,
        touch: bool = False,
    ) -> None:
        sets: list[pgsql.Composable] = [
            pgsql.SQL("{} = {}").format(pgsql.Identifier(c), pgsql.Placeholder(c)) for c in changes
        ]
        if touch:
            sets.append(pgsql.SQL("updated_at = now()"))
        conditions = [
            pgsql.SQL("{} = {}").format(pgsql.Identifier(c), pgsql.Placeholder(f"where_{c}"))
            for c in where
        ]
        query = pgsql.SQL("UPDATE {} SET {} WHERE {}").format(
            pgsql.Identifier(table),
            pgsql.SQL(", ").join(sets),
            pgsql.SQL(" AND ").join(conditions),
        )
        values = {**changes, **{f"where_{c}": v for c, v in where.items()}}
        await conn.execute(query, values)

    def _check_keys(self, new: NewDatasource) -> None:
        limits, errors, seen = self._ground.settings, [], set()
        for index, item in enumerate(new.data_keys):
            reason = None
            if len(item.key) > limits.max_key_length or "\x00" in item.key:
                reason = f"must be at most {limits.max_key_length} characters, none of them NUL"
            elif item.key in seen:
                reason = "is given twice"
            seen.add(item.key)
            if reason:
                errors.append(ItemError(reason, index=index, key=item.key[:200]))
        if len(new.data_keys) > limits.max_keys:
            errors.append(ItemError(f"at most {limits.max_keys} keys", key="data_keys"))
        if errors:
            raise Invalid("Some data keys are not valid.", errors=errors[:100])


def _ingest_key(row: tuple[Any, ...]) -> IngestKey:
    key_id, name, created_at, expires_at = row
    return IngestKey(key_id=key_id, name=name, created_at=created_at, expires_at=expires_at)


def _as_dict(description: Any, row: tuple[Any, ...]) -> dict[str, Any]:
    return {column.name: value for column, value in zip(description, row, strict=True)}
