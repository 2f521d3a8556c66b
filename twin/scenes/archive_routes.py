"""HTTP: a scene with its models as one zip, out and in."""

from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Stream

from twin.ground import Ground
from twin.principal import Principal
from twin.scenes.archive import MEDIA_TYPE, ImportedScene, exported, imported
from twin.scenes.store import SceneStore
from twin.scenes.upload import uploaded

_ARCHIVE = {
    200: ResponseSpec(
        data_container=bytes,
        description="the archive",
        media_type=MEDIA_TYPE,
        generate_examples=False,
    )
}


@get("/v1/scenes/{scene_id:uuid}/export", tags=["scenes"], responses=_ARCHIVE)
async def export_scene(scene_id: UUID, ground: Ground, principal: Principal) -> Stream:
    """Answer a scene and its models as one zip archive."""
    principal.require("read")
    scene = await SceneStore(ground, principal).get(scene_id)
    headers = {"content-disposition": f'attachment; filename="scene-{scene_id}.zip"'}
    return Stream(exported(ground, principal, scene), media_type=MEDIA_TYPE, headers=headers)


@post("/v1/scenes/import", status_code=201, tags=["scenes"], request_max_body_size=None)
async def import_scene(
    request: Request[Any, Any, Any], ground: Ground, principal: Principal
) -> ImportedScene:
    """Make a scene and its models from an archive; widgets that are not here are left out."""
    principal.require("write")
    async with uploaded(request, ground.settings.max_archive_bytes, "An archive") as content:
        return await imported(ground, principal, content)


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [export_scene, import_scene]
