"""HTTP: /v1/scenes and their view tokens."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, delete, get, patch, post, put
from litestar.params import Body as BodyOf

from twin.ground import Ground
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal
from twin.scenes.model import SceneBody, ScenePatch, read_scene
from twin.scenes.store import Scene, SceneStore, SceneSummary
from twin.scenes.tokens import CreatedViewToken, NewViewToken, ViewToken, ViewTokenStore
from twin.urls import base_url

Fields = Annotated[dict[str, Any], BodyOf(description="a scene: name, nodes, cameras, environment")]


@post("/v1/scenes", status_code=201, tags=["scenes"])
async def create_scene(data: Fields, ground: Ground, principal: Principal) -> Scene:
    """Save a scene: nodes with their models or primitives, and the widgets that hang on them."""
    principal.require("write")
    return await SceneStore(ground, principal).create(_body(ground, data))


@get("/v1/scenes", tags=["scenes"])
async def list_scenes(
    ground: Ground, principal: Principal, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Page[SceneSummary]:
    """List scenes without their nodes, oldest first."""
    principal.require("read")
    return await SceneStore(ground, principal).page(limit, offset)


@get("/v1/scenes/{scene_id:uuid}", tags=["scenes"])
async def read_scene_route(scene_id: UUID, ground: Ground, principal: Principal) -> Scene:
    """Show a scene, the models it uses, and what it refers to that is gone. A view token will do."""
    principal.require_view(scene_id)
    return await SceneStore(ground, principal).get(scene_id)


@put("/v1/scenes/{scene_id:uuid}", tags=["scenes"])
async def replace_scene(
    scene_id: UUID, data: Fields, ground: Ground, principal: Principal
) -> Scene:
    """Save a scene anew; with `revision`, only if nobody else saved it since: 409."""
    principal.require("write")
    return await SceneStore(ground, principal).replace(scene_id, _body(ground, data))


@patch("/v1/scenes/{scene_id:uuid}", tags=["scenes"])
async def patch_scene(
    scene_id: UUID, data: ScenePatch, ground: Ground, principal: Principal
) -> Scene:
    """Rename or describe a scene."""
    principal.require("write")
    return await SceneStore(ground, principal).patch(scene_id, data)


@delete("/v1/scenes/{scene_id:uuid}", tags=["scenes"])
async def delete_scene(scene_id: UUID, ground: Ground, principal: Principal) -> None:
    """Delete a scene and its view tokens; models and widgets stay."""
    principal.require("write")
    await SceneStore(ground, principal).delete(scene_id)


@post("/v1/scenes/{scene_id:uuid}/view-tokens", status_code=201, tags=["scenes"])
async def create_view_token(
    scene_id: UUID,
    request: Request[Any, Any, Any],
    ground: Ground,
    principal: Principal,
    data: NewViewToken | None = None,
) -> CreatedViewToken:
    """Make a token that shows this scene in a browser and nothing else; it is shown only here."""
    principal.require("write")
    store = ViewTokenStore(ground, principal, scene_id)
    return await store.create(data or NewViewToken(), base_url(ground.settings, request))


@get("/v1/scenes/{scene_id:uuid}/view-tokens", tags=["scenes"])
async def list_view_tokens(
    scene_id: UUID,
    ground: Ground,
    principal: Principal,
    limit: Limit = DEFAULT_LIMIT,
    offset: Offset = 0,
) -> Page[ViewToken]:
    """List a scene's view tokens without their secrets, oldest first."""
    principal.require("read")
    return await ViewTokenStore(ground, principal, scene_id).page(limit, offset)


@delete("/v1/scenes/{scene_id:uuid}/view-tokens/{token_id:str}", tags=["scenes"])
async def delete_view_token(
    scene_id: UUID, token_id: str, ground: Ground, principal: Principal
) -> None:
    """Revoke a view token: it stops working on every worker within a second."""
    principal.require("write")
    await ViewTokenStore(ground, principal, scene_id).delete(token_id)


def _body(ground: Ground, fields: dict[str, Any]) -> SceneBody:
    settings = ground.settings
    return read_scene(fields, settings.max_scene_nodes, settings.max_stream_widgets)


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [
        create_scene,
        list_scenes,
        read_scene_route,
        replace_scene,
        patch_scene,
        delete_scene,
        create_view_token,
        list_view_tokens,
        delete_view_token,
    ]
