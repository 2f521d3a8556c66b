"""HTTP: /v1/keys."""

from typing import Annotated, Any

from litestar import delete, get, patch, post
from litestar.params import Parameter

from twin.ground import Ground
from twin.keys.model import (
    CreatedManagementKey,
    KeyRotation,
    ManagementKey,
    ManagementKeyPatch,
    ManagementKeys,
    NewManagementKey,
)
from twin.keys.store import ManagementKeyStore
from twin.paging import Offset
from twin.principal import Principal

MAX_LISTED = 1000
"""Keys in an answer: the contract's list has no pages, so one holds what most have."""
Listed = Annotated[int, Parameter(ge=1, le=MAX_LISTED, description="most keys to return")]


@post("/v1/keys", status_code=201, tags=["keys"])
async def create_key(
    data: NewManagementKey, ground: Ground, principal: Principal
) -> CreatedManagementKey:
    """Create a management key; it is shown only here. Admin keys only."""
    key, secret = await ManagementKeyStore(ground, principal).create(data)
    return _created(key, secret)


@get("/v1/keys", tags=["keys"])
async def list_keys(
    ground: Ground, principal: Principal, limit: Listed = MAX_LISTED, offset: Offset = 0
) -> ManagementKeys:
    """List management keys, without secrets, oldest first."""
    return ManagementKeys(*await ManagementKeyStore(ground, principal).page(limit, offset))


@get("/v1/keys/{key_id:str}", tags=["keys"])
async def get_key(key_id: str, ground: Ground, principal: Principal) -> ManagementKey:
    """Read a management key, without its secret."""
    return await ManagementKeyStore(ground, principal).get(key_id)


@patch("/v1/keys/{key_id:str}", tags=["keys"])
async def patch_key(
    key_id: str, data: ManagementKeyPatch, ground: Ground, principal: Principal
) -> ManagementKey:
    """Rename, disable, limit or extend a key, or change its scopes."""
    return await ManagementKeyStore(ground, principal).patch(key_id, data)


@delete("/v1/keys/{key_id:str}", tags=["keys"])
async def delete_key(key_id: str, ground: Ground, principal: Principal) -> None:
    """Delete a key: it stops working on every worker within a second."""
    await ManagementKeyStore(ground, principal).delete(key_id)


@post("/v1/keys/{key_id:str}/rotate", status_code=200, tags=["keys"])
async def rotate_key(
    key_id: str, ground: Ground, principal: Principal, data: KeyRotation | None = None
) -> CreatedManagementKey:
    """Give a key a new secret; the old one stays valid for `grace_seconds`."""
    grace = (data or KeyRotation()).grace_seconds
    return _created(*await ManagementKeyStore(ground, principal).rotate(key_id, grace))


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [create_key, list_keys, get_key, patch_key, delete_key, rotate_key]


def _created(key: ManagementKey, secret: str) -> CreatedManagementKey:
    fields = {name: getattr(key, name) for name in key.__struct_fields__}
    return CreatedManagementKey(**fields, api_key=secret)
