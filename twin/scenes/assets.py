"""Models in the database, their content by its hash.

Invariant: a model has its content, content that no model has is gone, and a model that a scene uses
stays.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg.types.json import Jsonb

from twin import audit
from twin.db.errors import driver_errors
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.errors import Conflict, NotFound
from twin.ground import Ground
from twin.paging import Page
from twin.principal import Principal
from twin.scenes.glb import check_glb

KIND = "asset"
PART_BYTES = 2**20
"""Read from the database at a time, so that an answer does not hold a whole model."""
_SQL = load("twin", "scenes")
_ABSENT = "There is no asset with this id."


class Asset(msgspec.Struct, frozen=True):
    """A model as the API shows it; `nodes`: names that a widget can hang on."""

    id: UUID
    name: str
    size_bytes: int
    sha256: str
    nodes: list[str]
    triangles: int
    animations: list[str]
    extensions: list[str]
    url: str
    created_at: datetime
    updated_at: datetime


class AssetStore:
    """The models of a principal's environment. Raises NotFound for any other."""

    def __init__(self, ground: Ground, principal: Principal) -> None:
        """Act for a principal, whose scope the caller has checked."""
        self._ground = ground
        self._principal = principal

    async def create(self, name: str, content: bytes) -> Asset:
        """Keep a model. Raises Invalid for what is no model, Conflict at the bound."""
        values = {**await self._values(content), "asset_id": uuid4(), "name": name}
        most = self._ground.settings.max_assets
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["lock_assets"], values)
                row = await (await conn.execute(_SQL["count_assets"], values)).fetchone()
                if row is not None and row[0] >= most:
                    raise Conflict(f"The organisation has {most} assets, the most.")
                await conn.execute(_SQL["insert_blob"], values)
                await conn.execute(_SQL["insert_asset"], values)
                told = {"name": name, "size_bytes": len(content)}
                await audit.record(conn, self._principal, "create", KIND, values["asset_id"], told)
                return await self._get(conn, values["asset_id"])

    async def replace(self, asset_id: UUID, content: bytes) -> Asset:
        """Give a model other content."""
        values = {**await self._values(content), "asset_id": asset_id}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["lock_assets"], values)
                old = await self._get(conn, asset_id)
                await conn.execute(_SQL["insert_blob"], values)
                await conn.execute(_SQL["replace_asset"], values)
                await self._drop_blob(conn, old)
                told = {"size_bytes": len(content)}
                await audit.record(conn, self._principal, "replace", KIND, asset_id, told)
                return await self._get(conn, asset_id)

    async def rename(self, asset_id: UUID, name: str) -> Asset:
        """Give a model another name."""
        values = {**self._principal.scope, "asset_id": asset_id, "name": name}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["rename_asset"], values)
                asset = await self._get(conn, asset_id)
                await audit.record(conn, self._principal, "update", KIND, asset_id, {"name": name})
                return asset

    async def delete(self, asset_id: UUID) -> None:
        """Drop a model. Raises Conflict naming the scenes that use it."""
        values = {**self._principal.scope, "asset_id": asset_id}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["lock_assets"], values)
                old = await self._get(conn, asset_id)
                scenes = await (await conn.execute(_SQL["scenes_of_asset"], values)).fetchall()
                if scenes:
                    named = ", ".join(f"'{name}'" for _, name in scenes[:5])
                    raise Conflict(f"The asset is used by {named}: take it out of there first.")
                await conn.execute(_SQL["delete_asset"], values)
                await self._drop_blob(conn, old)
                await audit.record(
                    conn, self._principal, "delete", KIND, asset_id, {"name": old.name}
                )

    async def get(self, asset_id: UUID) -> Asset:
        """Return a model without its content."""
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                return await self._get(conn, asset_id)

    async def page(self, limit: int, offset: int) -> Page[Asset]:
        """Return models in the order they came."""
        values = {**self._principal.scope, "limit": limit, "offset": offset}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                rows = await (await conn.execute(_SQL["list_assets"], values)).fetchall()
                total = await (await conn.execute(_SQL["count_assets"], values)).fetchone()
        return Page([shown_asset(row) for row in rows], total[0] if total else 0, limit, offset)

    async def content(self, asset: Asset) -> AsyncIterator[bytes]:
        """Yield a model's content in parts."""
        for start in range(0, asset.size_bytes, PART_BYTES):
            values = {
                "org_id": self._principal.org_id,
                "sha256": asset.sha256,
                "from": start + 1,
                "bytes": PART_BYTES,
            }
            with driver_errors():
                async with self._ground.pool.bound(self._principal) as conn:
                    row = await (
                        await conn.execute(_SQL["blob_part"], values, binary=True)
                    ).fetchone()
            if row is None:
                raise NotFound("The asset was replaced while it was read.")
            yield row[0]

    async def _values(self, content: bytes) -> dict[str, Any]:
        model, sha256 = await asyncio.to_thread(_examine, content)
        return {
            **self._principal.scope,
            "sha256": sha256,
            "size_bytes": len(content),
            "content": content,
            "model": Jsonb(msgspec.to_builtins(model)),
        }

    async def _drop_blob(self, conn: AsyncConnection, old: Asset) -> None:
        values = {"org_id": self._principal.org_id, "sha256": bytes.fromhex(old.sha256)}
        await conn.execute(_SQL["delete_unused_blob"], values)

    async def _get(self, conn: AsyncConnection, asset_id: UUID) -> Asset:
        found = await assets_of(conn, self._principal, [asset_id])
        if not found:
            raise NotFound(_ABSENT)
        return found[0]


async def assets_of(conn: AsyncConnection, principal: Principal, ids: list[UUID]) -> list[Asset]:
    """Return those of some models that a principal's environment has."""
    values = {**principal.scope, "asset_ids": ids}
    rows = await (await conn.execute(_SQL["get_assets"], values)).fetchall()
    return [shown_asset(row) for row in rows]


def shown_asset(row: tuple[Any, ...]) -> Asset:
    """Return a model as the API shows it."""
    asset_id, name, size_bytes, sha256, model, created_at, updated_at = row
    url = f"/v1/assets/{asset_id}/content?v={sha256[:16]}"
    return Asset(
        id=asset_id,
        name=name,
        size_bytes=size_bytes,
        sha256=sha256,
        url=url,
        created_at=created_at,
        updated_at=updated_at,
        **model,
    )


def _examine(content: bytes) -> tuple[msgspec.Struct, bytes]:
    return check_glb(content), hashlib.sha256(content).digest()
