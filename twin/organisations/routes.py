"""HTTP: /v1/organisations for the operator, /v1/organisation for everybody's own."""

from typing import Any

from litestar import get, patch, post

from twin.ground import Ground
from twin.organisations import store
from twin.organisations.model import (
    CreatedOrganisation,
    NewOrganisation,
    Organisation,
    OrganisationPatch,
)
from twin.paging import DEFAULT_LIMIT, Limit, Offset, Page
from twin.principal import Principal


@post("/v1/organisations", status_code=201, tags=["organisations"])
async def create_organisation(
    data: NewOrganisation, ground: Ground, principal: Principal
) -> CreatedOrganisation:
    """Make an organisation; its first admin key is shown only here. Operator keys only."""
    return await store.create(ground, principal, data)


@get("/v1/organisations", tags=["organisations"])
async def list_organisations(
    ground: Ground, principal: Principal, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0
) -> Page[Organisation]:
    """List the server's organisations, oldest first. Operator keys only."""
    return await store.page(ground, principal, limit, offset)


@get("/v1/organisation", tags=["organisations"])
async def get_organisation(ground: Ground, principal: Principal) -> Organisation:
    """Read the key's own organisation."""
    return await store.get_own(ground, principal)


@patch("/v1/organisation", tags=["organisations"])
async def patch_organisation(
    data: OrganisationPatch, ground: Ground, principal: Principal
) -> Organisation:
    """Rename the key's own organisation, require application tokens, allow browsers' origins."""
    return await store.patch_own(ground, principal, data)


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [create_organisation, list_organisations, get_organisation, patch_organisation]
