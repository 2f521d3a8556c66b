"""Who a request's management key stands for: the dependency `principal` of every API route.

HTTP Basic, for Excel and other programs that know nothing else, carries the key as password and only
reads: a browser repeats such a password on its own, and must not change anything by it.
"""

import base64
import binascii
from typing import Any

from litestar import Request

from twin.errors import Unauthorized
from twin.ground import Ground
from twin.principal import Principal

READS = "reads"
"""An `opt` of routes whose POST changes nothing: HTTP Basic will do there too."""


async def provide_principal(request: Request[Any, Any, Any], ground: Ground) -> Principal:
    """Return the principal of a request's key. Raises Unauthorized."""
    secret = management_secret(
        request.headers.get("authorization"), request.headers.get("x-api-key")
    )
    if not secret and (request.method in ("GET", "HEAD") or request.route_handler.opt.get(READS)):
        secret = basic_password(request.headers.get("authorization"))
    if not secret:
        raise Unauthorized("Send a management key: Authorization: Bearer tf_live_….")
    return await ground.keys.management(secret)


def management_secret(authorization: str | None, api_key: str | None) -> str:
    """Return the management key of `Authorization: Bearer K` or `X-API-Key: K`, or ''."""
    if authorization:
        scheme, _, rest = authorization.strip().partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else ""
    return (api_key or "").strip()


def may_ask_for_password(request: Request[Any, Any, Any]) -> bool:
    """Return whether a refused request is a program's that waits to be asked, as wget does.

    A page that sent a token of its own must not make the browser ask its reader for a password.
    """
    sent = request.headers.get("authorization")
    if sent is None:
        return "x-api-key" not in request.headers and "token" not in request.query_params
    return sent.strip().lower().startswith("basic")


def basic_password(authorization: str | None) -> str:
    """Return the password of `Authorization: Basic …`, or ''."""
    scheme, _, rest = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
