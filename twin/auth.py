"""Who a request's management key stands for: the dependency `principal` of every API route."""

from typing import Any

from litestar import Request

from twin.errors import Unauthorized
from twin.ground import Ground
from twin.principal import Principal


async def provide_principal(request: Request[Any, Any, Any], ground: Ground) -> Principal:
    """Return the principal of a request's key. Raises Unauthorized."""
    secret = management_secret(
        request.headers.get("authorization"), request.headers.get("x-api-key")
    )
    if not secret:
        raise Unauthorized("Send a management key: Authorization: Bearer tf_live_….")
    return await ground.keys.management(secret)


def management_secret(authorization: str | None, api_key: str | None) -> str:
    """Return the management key of `Authorization: Bearer K` or `X-API-Key: K`, or ''."""
    if authorization:
        scheme, _, rest = authorization.strip().partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else ""
    return (api_key or "").strip()
