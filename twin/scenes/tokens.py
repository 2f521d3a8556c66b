"""View tokens: what a browser is given to look at one scene.

Invariant: only the hash of a token is stored; a token that is deleted or expired, or whose scene is
gone, stops working on every worker within a second.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from twin import audit
from twin.datasources.model import ExpiresInDays
from twin.db.errors import driver_errors
from twin.db.queries import load
from twin.errors import Conflict, NotFound
from twin.ground import Ground
from twin.keys.directory import TOPIC
from twin.keys.secrets import digest, new_id, new_view_secret
from twin.notify import send_on
from twin.paging import Page
from twin.principal import Principal
from twin.scenes.store import SceneStore

KIND = "view token"
MAX_TOKENS = 1000
"""Of one scene."""
_SQL = load("twin", "scenes")


class NewViewToken(msgspec.Struct, forbid_unknown_fields=True):
    """The body that makes a view token."""

    name: Annotated[str, Meta(max_length=200)] = ""
    expires_in_days: ExpiresInDays | None = None


class ViewToken(msgspec.Struct):
    """A view token without its secret."""

    token_id: str
    scene_id: UUID
    name: str
    expires_at: datetime | None
    created_at: datetime


class CreatedViewToken(ViewToken):
    """A view token with its secret, shown once, and the page it opens."""

    token: str
    url: str


class ViewTokenStore:
    """The view tokens of a scene. Raises NotFound for a scene of others."""

    def __init__(self, ground: Ground, principal: Principal, scene_id: UUID) -> None:
        """Act for a principal, whose scope the caller has checked."""
        self._ground = ground
        self._principal = principal
        self._scene_id = scene_id

    async def create(self, new: NewViewToken, base_url: str) -> CreatedViewToken:
        """Make a token. Raises Conflict at the bound."""
        await self._check_scene()
        secret = new_view_secret()
        values = {
            "token_id": new_id("view"),
            "scene_id": self._scene_id,
            "name": new.name,
            "secret_hash": digest(secret),
            "expires_in_days": new.expires_in_days,
            "most": MAX_TOKENS,
        }
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                row = await (await conn.execute(_SQL["insert_view_token"], values)).fetchone()
                if row is None:
                    raise Conflict(f"The scene has {MAX_TOKENS} view tokens, the most.")
                told = {"scene_id": self._scene_id, **msgspec.structs.asdict(new)}
                await audit.record(conn, self._principal, "create", KIND, row[0], told)
        url = f"{base_url}/viewer/{self._scene_id}?token={secret}"
        made = dict(zip(ViewToken.__struct_fields__, row, strict=True))
        return CreatedViewToken(**made, token=secret, url=url)

    async def page(self, limit: int, offset: int) -> Page[ViewToken]:
        """Return tokens in the order they were made."""
        await self._check_scene()
        values = {"scene_id": self._scene_id, "limit": limit, "offset": offset}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn:
                rows = await (await conn.execute(_SQL["list_view_tokens"], values)).fetchall()
                total = await (await conn.execute(_SQL["count_view_tokens"], values)).fetchone()
        return Page([ViewToken(*row) for row in rows], total[0] if total else 0, limit, offset)

    async def delete(self, token_id: str) -> None:
        """Revoke a token."""
        await self._check_scene()
        values = {"scene_id": self._scene_id, "token_id": token_id.replace("\x00", "")}
        with driver_errors():
            async with self._ground.pool.bound(self._principal) as conn, conn.transaction():
                row = await (await conn.execute(_SQL["delete_view_token"], values)).fetchone()
                if row is None:
                    raise NotFound("There is no view token with this id.")
                told = {"name": row[0]}
                await audit.record(conn, self._principal, "delete", KIND, token_id, told)
                await send_on(conn, TOPIC)
        self._ground.keys.forget()

    async def _check_scene(self) -> None:
        await SceneStore(self._ground, self._principal).get(self._scene_id)
