"""Scenes in the database.

Invariant: a scene that is saved refers to models and widgets of its own environment that existed then,
and nobody's save is overwritten by one who had not seen it: `revision` moves with each.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg.types.json import Jsonb

from twin import audit
from twin.db.errors import driver_errors
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.errors import Conflict, Invalid, ItemError, NotFound
from twin.ground import Ground
from twin.keys.directory import TOPIC
from twin.notify import send_on
from twin.paging import Page
from twin.principal import Principal
from twin.scenes.assets import Asset, assets_of
from twin.scenes.model import (
    Camera,
    Environment,
    Node,
    SceneBody,
    ScenePatch,
    asset_ids,
    widget_ids,
)

KIND = "scene"
ABSENT = "There is no scene with this id."
_SQL = load("twin", "scenes")


class Missing(msgspec.Struct, frozen=True):
    """What a scene refers to and was deleted since."""

    asset_ids: list[UUID]
    widget_ids: list[UUID]


class Scene(msgspec.Struct, frozen=True):
    """A scene as the API shows it."""

    id: UUID
    name: str
    description: str
    nodes: list[Node]
    cameras: list[Camera]
    environment: Environment
    revision: int
    assets: list[Asset]
    missing: Missing
    created_at: datetime
    updated_at: datetime


class SceneSummary(msgspec.Struct, frozen=True):
    """A scene in a list."""

    id: UUID
    name: str
    description: str
    revision: int
    nodes_total: int
    widgets_total: int
    created_at: datetime
    updated_at: datetime


class _Drawn(msgspec.Struct):
    """What is stored of a scene as one document."""

    nodes: list[Node]
    cameras: list[Camera]
    environment: Environment


class SceneStore:
    """The scenes of a principal's environment. Raises NotFound for any other."""

    def __init__(self, ground: Ground, principal: Principal) -> None:
        """Act for a principal, whose scope the caller has checked."""
        self._ground = ground
        self._principal = principal

    async def create(self, body: SceneBody) -> Scene:
        """Keep a scene. Raises Invalid for references to nothing, Conflict at the bound."""
        values = {**self._values(body), "scene_id": uuid4()}
        most = self._ground.settings.max_scenes
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["lock_scenes"], values)
                row = await (await conn.execute(_SQL["count_scenes"], values)).fetchone()
                if row is not None and row[0] >= most:
                    raise Conflict(f"The organisation has {most} scenes, the most.")
                await self._check_references(conn, body)
                await conn.execute(_SQL["insert_scene"], values)
                await self._record(conn, "create", values["scene_id"], body)
                return await self._get(conn, values["scene_id"])

    async def replace(self, scene_id: UUID, body: SceneBody) -> Scene:
        """Save a scene anew. Raises Conflict when `revision` is not the one that is stored."""
        values = {**self._values(body), "scene_id": scene_id}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await conn.execute(_SQL["lock_scenes"], values)
                await self._lock(conn, scene_id, body.revision)
                old = await self._get(conn, scene_id)
                await self._check_references(conn, body, old.missing)
                await conn.execute(_SQL["replace_scene"], values)
                await self._record(conn, "update", scene_id, body)
                await send_on(conn, TOPIC)  # view tokens hold what the scene shows
                scene = await self._get(conn, scene_id)
        self._ground.keys.forget()
        return scene

    async def patch(self, scene_id: UUID, patch: ScenePatch) -> Scene:
        """Change a scene's name or description. Raises Conflict for a stale revision."""
        given = {
            name: getattr(patch, name)
            for name in ("name", "description")
            if getattr(patch, name) is not msgspec.UNSET
        }
        values = {"name": None, "description": None, **given, "scene_id": scene_id}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                await self._lock(conn, scene_id, patch.revision)
                await conn.execute(_SQL["patch_scene"], values)
                await audit.record(conn, self._principal, "update", KIND, scene_id, given)
                return await self._get(conn, scene_id)

    async def delete(self, scene_id: UUID) -> None:
        """Drop a scene and its view tokens; models and widgets stay."""
        values = {**self._principal.scope, "scene_id": scene_id}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                row = await (await conn.execute(_SQL["delete_scene"], values)).fetchone()
                if row is None:
                    raise NotFound(ABSENT)
                await audit.record(
                    conn, self._principal, "delete", KIND, scene_id, {"name": row[0]}
                )
                await send_on(conn, TOPIC)
        self._ground.keys.forget()

    async def get(self, scene_id: UUID) -> Scene:
        """Return a scene, the models it uses, and what it lacks."""
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                return await self._get(conn, scene_id)

    async def page(self, limit: int, offset: int) -> Page[SceneSummary]:
        """Return scenes in the order they came, without their nodes."""
        values = {**self._principal.scope, "limit": limit, "offset": offset}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                rows = await (await conn.execute(_SQL["list_scenes"], values)).fetchall()
                total = await (await conn.execute(_SQL["count_scenes"], values)).fetchone()
        items = [SceneSummary(*row) for row in rows]
        return Page(items, total[0] if total else 0, limit, offset)

    async def known_widgets(self, wanted: Sequence[UUID]) -> set[UUID]:
        """Return those of some widgets that the environment has."""
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                return await self._known_widgets(conn, wanted)

    def _values(self, body: SceneBody) -> dict[str, Any]:
        drawn = _Drawn(body.nodes, body.cameras, body.environment)
        return {
            **self._principal.scope,
            "name": body.name,
            "description": body.description,
            "body": Jsonb(msgspec.to_builtins(drawn)),
            "asset_ids": asset_ids(body),
            "widget_ids": widget_ids(body),
            "nodes_total": len(body.nodes),
        }

    async def _lock(self, conn: AsyncConnection, scene_id: UUID, revision: int | None) -> None:
        values = {**self._principal.scope, "scene_id": scene_id}
        row = await (await conn.execute(_SQL["lock_scene"], values)).fetchone()
        if row is None:
            raise NotFound(ABSENT)
        if revision is not None and revision != row[0]:
            raise Conflict(
                f"The scene is at revision {row[0]}; this was made from {revision}. "
                "Read it again and repeat the change."
            )

    async def _check_references(
        self, conn: AsyncConnection, body: SceneBody, missing: Missing | None = None
    ) -> None:
        """Raise Invalid naming nodes with references to nothing; what the scene lacked may stay."""
        assets = {asset.id for asset in await assets_of(conn, self._principal, asset_ids(body))}
        widgets = await self._known_widgets(conn, widget_ids(body))
        if missing is not None:
            assets |= set(missing.asset_ids)
            widgets |= set(missing.widget_ids)
        errors = []
        for index, node in enumerate(body.nodes):
            if node.asset_id is not None and node.asset_id not in assets:
                errors.append(ItemError(f"There is no asset {node.asset_id}.", index, "asset_id"))
            errors += [
                ItemError(f"There is no widget {item.widget_id}.", index, "widgets")
                for item in node.widgets
                if item.widget_id not in widgets
            ]
        if errors:
            raise Invalid(
                f"The scene refers to what is not there: {errors[0].message}", errors=errors[:100]
            )

    async def _known_widgets(self, conn: AsyncConnection, wanted: Sequence[UUID]) -> set[UUID]:
        values = {**self._principal.scope, "widget_ids": list(wanted)}
        rows = await (await conn.execute(_SQL["known_widgets"], values)).fetchall()
        return {row[0] for row in rows}

    async def _record(
        self, conn: AsyncConnection, action: str, scene_id: UUID, body: SceneBody
    ) -> None:
        told = {
            "name": body.name,
            "nodes": len(body.nodes),
            "widgets": len(widget_ids(body)),
            "cameras": len(body.cameras),
        }
        await audit.record(conn, self._principal, action, KIND, scene_id, told)

    async def _get(self, conn: AsyncConnection, scene_id: UUID) -> Scene:
        values = {**self._principal.scope, "scene_id": scene_id}
        row = await (await conn.execute(_SQL["get_scene"], values)).fetchone()
        if row is None:
            raise NotFound(ABSENT)
        id_, name, description, stored, revision, created_at, updated_at = row
        drawn = msgspec.convert(stored, _Drawn)
        body = SceneBody(name=name, nodes=drawn.nodes)
        used, shown = asset_ids(body), widget_ids(body)
        assets = await assets_of(conn, self._principal, used)
        widgets = await self._known_widgets(conn, shown)
        present = {asset.id for asset in assets}
        return Scene(
            id=id_,
            name=name,
            description=description,
            nodes=drawn.nodes,
            cameras=drawn.cameras,
            environment=drawn.environment,
            revision=revision,
            assets=assets,
            missing=Missing(
                [asset for asset in used if asset not in present],
                [widget for widget in shown if widget not in widgets],
            ),
            created_at=created_at,
            updated_at=updated_at,
        )
