"""HTTP: /v1/assets, models as binary glTF."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream
from msgspec import Meta

from twin.errors import Invalid, UnsupportedMedia
from twin.etags import matches
from twin.ground import Ground
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal
from twin.scenes.assets import Asset, AssetStore
from twin.scenes.glb import MEDIA_TYPE
from twin.scenes.upload import uploaded

Ask = Request[Any, Any, Any]
MAX_NAME = 200
FOR_EVER = "private, max-age=31536000, immutable"
AccessedAs = Annotated[str | None, Parameter(query="v", description="as in the asset's url")]
AssetName = Annotated[str, Parameter(query="name", description="what the model is called")]

_CONTENT = {
    200: ResponseSpec(
        data_container=bytes,
        description="the model",
        media_type=MEDIA_TYPE,
        generate_examples=False,
    )
}


class Renamed(msgspec.Struct, forbid_unknown_fields=True):
    """The body that renames a model."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]


@post("/v1/assets", status_code=201, tags=["scenes"], request_max_body_size=None)
async def create_asset(
    request: Ask, ground: Ground, principal: Principal, name: AssetName = ""
) -> Asset:
    """Keep a model: the body is a binary glTF 2.0 file (.glb) that refers to nothing outside it."""
    principal.require("write")
    if not 1 <= len(name.strip()) <= MAX_NAME or "\x00" in name:
        raise Invalid(f"name: give the model a name of 1 to {MAX_NAME} characters, as ?name=.")
    _check_media(request)
    async with uploaded(request, ground.settings.max_asset_bytes, "A model") as content:
        return await AssetStore(ground, principal).create(name.strip(), content)


@get("/v1/assets", tags=["scenes"])
async def list_assets(
    ground: Ground, principal: Principal, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Page[Asset]:
    """List models, oldest first."""
    principal.require("read")
    return await AssetStore(ground, principal).page(limit, offset)


@get("/v1/assets/{asset_id:uuid}", tags=["scenes"])
async def get_asset(asset_id: UUID, ground: Ground, principal: Principal) -> Asset:
    """Show a model without its content."""
    principal.require_asset(asset_id)
    return await AssetStore(ground, principal).get(asset_id)


@get("/v1/assets/{asset_id:uuid}/content", tags=["scenes"], responses=_CONTENT)
async def asset_content(
    asset_id: UUID, request: Ask, ground: Ground, principal: Principal, version: AccessedAs = None
) -> Response[Any]:
    """Answer a model's content; under the asset's `url` it may be kept for ever."""
    principal.require_asset(asset_id)
    store = AssetStore(ground, principal)
    asset = await store.get(asset_id)
    etag = f'"{asset.sha256}"'
    is_named = bool(version) and asset.sha256.startswith(str(version)) and len(str(version)) >= 16
    headers = {
        "etag": etag,
        "cache-control": FOR_EVER if is_named else "private, no-cache",
        "content-length": str(asset.size_bytes),
        "x-content-type-options": "nosniff",
    }
    if matches(request.headers.get("if-none-match"), etag):
        del headers["content-length"]
        return Response(b"", status_code=304, headers=headers)
    return Stream(store.content(asset), media_type=MEDIA_TYPE, headers=headers)


@put("/v1/assets/{asset_id:uuid}", tags=["scenes"], request_max_body_size=None)
async def replace_asset(
    asset_id: UUID, request: Ask, ground: Ground, principal: Principal
) -> Asset:
    """Replace a model's content: scenes that use it show the new one."""
    principal.require("write")
    _check_media(request)
    async with uploaded(request, ground.settings.max_asset_bytes, "A model") as content:
        return await AssetStore(ground, principal).replace(asset_id, content)


@patch("/v1/assets/{asset_id:uuid}", tags=["scenes"])
async def rename_asset(
    asset_id: UUID, data: Renamed, ground: Ground, principal: Principal
) -> Asset:
    """Rename a model."""
    principal.require("write")
    return await AssetStore(ground, principal).rename(asset_id, data.name)


@delete("/v1/assets/{asset_id:uuid}", tags=["scenes"])
async def delete_asset(asset_id: UUID, ground: Ground, principal: Principal) -> None:
    """Delete a model that no scene uses."""
    principal.require("write")
    await AssetStore(ground, principal).delete(asset_id)


def _check_media(request: Ask) -> None:
    media = request.headers.get("content-type", MEDIA_TYPE).partition(";")[0].strip().lower()
    if media not in (MEDIA_TYPE, "application/octet-stream"):
        raise UnsupportedMedia(f"Send the model as Content-Type: {MEDIA_TYPE}.")


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [
        create_asset,
        list_assets,
        get_asset,
        asset_content,
        replace_asset,
        rename_asset,
        delete_asset,
    ]
