"""HTTP: /v1/applications."""

from typing import Any

from litestar import delete, get, patch, post

from twin.applications.model import (
    Application,
    ApplicationPatch,
    CreatedApplication,
    NewApplication,
)
from twin.applications.store import ApplicationStore
from twin.ground import Ground
from twin.keys.model import KeyRotation
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal


@post("/v1/applications", status_code=201, tags=["applications"])
async def create_application(
    data: NewApplication, ground: Ground, principal: Principal
) -> CreatedApplication:
    """Register an application; its token is shown only here. Admin keys only."""
    return _created(*await ApplicationStore(ground, principal).create(data))


@get("/v1/applications", tags=["applications"])
async def list_applications(
    ground: Ground, principal: Principal, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Page[Application]:
    """List applications, without tokens, oldest first."""
    return await ApplicationStore(ground, principal).page(limit, offset)


@get("/v1/applications/{application_id:str}", tags=["applications"])
async def get_application(application_id: str, ground: Ground, principal: Principal) -> Application:
    """Read an application, without its token."""
    return await ApplicationStore(ground, principal).get(application_id)


@patch("/v1/applications/{application_id:str}", tags=["applications"])
async def patch_application(
    application_id: str, data: ApplicationPatch, ground: Ground, principal: Principal
) -> Application:
    """Rename, limit, disable or enable an application."""
    return await ApplicationStore(ground, principal).patch(application_id, data)


@delete("/v1/applications/{application_id:str}", tags=["applications"])
async def delete_application(application_id: str, ground: Ground, principal: Principal) -> None:
    """Delete an application: its token stops working on every worker within a second."""
    await ApplicationStore(ground, principal).delete(application_id)


@post("/v1/applications/{application_id:str}/rotate", status_code=200, tags=["applications"])
async def rotate_application(
    application_id: str, ground: Ground, principal: Principal, data: KeyRotation | None = None
) -> CreatedApplication:
    """Give an application a new token; the old one stays valid for `grace_seconds`."""
    grace = (data or KeyRotation()).grace_seconds
    return _created(*await ApplicationStore(ground, principal).rotate(application_id, grace))


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [
        create_application,
        list_applications,
        get_application,
        patch_application,
        delete_application,
        rotate_application,
    ]


def _created(application: Application, secret: str) -> CreatedApplication:
    fields = {name: getattr(application, name) for name in application.__struct_fields__}
    return CreatedApplication(**fields, app_token=secret)
