"""Who a request's management key stands for: the dependency `principal` of every API route.

A browser that signed in sends a cookie instead (twin/sessions.py), which changes something only for
pages of our own. A view token, in a header or as `?token=`, stands for someone who sees one scene.
HTTP Basic, for Excel and other programs that know nothing else, carries the key as password and only
reads: a browser repeats such a password on its own, and must not change anything by it.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from twin.clock import now_us
from twin.errors import Forbidden, Unauthorized
from twin.ground import Ground
from twin.keys.grants import ApplicationGrant, IngestGrant
from twin.keys.secrets import SESSION_PREFIX, VIEW_PREFIX
from twin.principal import Principal

NO_KEY = "Send a management key: Authorization: Bearer tf_live_…."
SESSION_COOKIE = "twinfeed_session"
READS = "reads"
"""An `opt` of routes whose POST changes nothing: HTTP Basic will do there too."""


CALLER = "twinfeed.caller"
"""Where `twin/gate.py` puts a request's caller, or why there is none, in the request's scope."""


class Caller(msgspec.Struct, frozen=True):
    """Who makes a request: a key's principal, and the application it came through if it said so."""

    principal: Principal
    application: ApplicationGrant | None = None
    is_basic: bool = False
    """By a password that a browser repeats on its own: such a request only reads."""
    is_session: bool = False
    """By a cookie, which a browser sends on its own too: see `is_same_origin`."""
    refusal: Forbidden | None = None
    """Why the caller may not go on although the key is valid: such a request counts too."""


async def provide_principal(request: Request[Any, Any, Any]) -> Principal:
    """Return the principal of a request's key. Raises Unauthorized."""
    caller = request.scope.get(CALLER)
    if isinstance(caller, Unauthorized):
        raise caller
    if not isinstance(caller, Caller):
        raise Unauthorized(NO_KEY)
    changes = request.method not in ("GET", "HEAD") and not request.route_handler.opt.get(READS)
    if changes and caller.is_basic:
        raise Unauthorized(NO_KEY)
    if changes and caller.is_session and not is_same_origin(request.headers):
        raise Forbidden("A signed-in browser changes things from pages of this server alone.")
    return caller.principal


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Return whether a browser's request comes from a page of this server.

    Every browser of today sends Sec-Fetch-Site, and no page can set it.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return headers.get("origin", "").partition("://")[2] == headers.get("host", "")


async def found_again(request: Request[Any, Any, Any], ground: Ground) -> Principal:
    """Return the principal of a request that lasts, as its key stands now. Raises as `find_caller`."""
    before = request.scope.get(CALLER)
    address = before.principal.address if isinstance(before, Caller) else ""
    query = request.scope["query_string"]
    caller = await find_caller(ground, request.headers, query, address)
    if caller.refusal is not None:
        raise caller.refusal
    return caller.principal


async def find_caller(
    ground: Ground, headers: Mapping[str, str], query: bytes, address: str
) -> Caller:
    """Return who makes a request with these headers (names in lower case) from an address.

    Costs no query once the keys are known to this worker. Raises Unauthorized; RateLimited for an
    address that guesses. An application token that is missing or not the organisation's is the caller's
    `refusal`.
    """
    authorization = headers.get("authorization")
    secret = management_secret(authorization, headers.get("x-api-key"))
    is_basic = is_session = False
    if secret.startswith(SESSION_PREFIX):
        raise Unauthorized(NO_KEY)  # it is worth something in its cookie alone
    if not secret and authorization is not None:
        secret = basic_password(authorization)
        is_basic = bool(secret)
    elif not secret:
        secret = _view_token(query)
        if not secret:
            secret = _session_secret(headers.get("cookie", ""))
            is_session = bool(secret)
    if not secret:
        raise Unauthorized(NO_KEY)
    now = now_us()
    principal = ground.keys.cached_principal(secret, now)
    if principal is None:
        ground.limits.check_address(address, now)
        try:
            principal = await ground.keys.principal(secret)
        except Unauthorized:
            ground.limits.note_failure(address, now)
            raise
    principal = msgspec.structs.replace(principal, address=address)
    token = headers.get("x-app-token", "").strip()
    if is_session or principal.scene_id is not None:
        return Caller(principal, None, is_basic, is_session)
    try:
        application = await _application(ground, principal, token)
    except Forbidden as exc:
        return Caller(principal, None, is_basic, refusal=exc)
    return Caller(principal, application, is_basic)


async def _application(ground: Ground, principal: Principal, token: str) -> ApplicationGrant | None:
    if not token:
        if principal.requires_application:
            raise Forbidden(
                "This organisation requires an application token: send X-App-Token: tfa_…."
            )
        return None
    found = await ground.keys.application(token)
    if found is None or not principal.owns(found.org_id, found.environment):
        raise Forbidden("The application token is not valid.")
    return found


def _view_token(query: bytes) -> str:
    """Return the view token of a query string, or '': other keys have no place in an address."""
    if b"token=" not in query:
        return ""
    for name, value in parse_qsl(query.decode("latin-1")):
        if name == "token" and value.startswith(VIEW_PREFIX):
            return value
    return ""


def _session_secret(cookies: str) -> str:
    """Return the session's secret of a Cookie header, or ''."""
    for part in cookies.split(";"):
        name, _, value = part.strip().partition("=")
        if name == SESSION_COOKIE and value.startswith(SESSION_PREFIX):
            return value
    return ""


async def ingest_grant(
    ground: Ground, secret: bytes, headers: Mapping[str, str], peer: str
) -> IngestGrant:
    """Return the grant of an ingest key. Raises Unauthorized; RateLimited for a guessing address.

    A key that this worker knows costs one look into memory, from wherever it comes.
    """
    now = now_us()
    grant = ground.keys.cached_ingest(secret, now)
    if grant is not None:
        return grant
    address = ground.proxies.client(peer, lambda: headers.get("x-forwarded-for", ""))
    ground.limits.check_address(address, now)
    try:
        return await ground.keys.ingest(secret)
    except Unauthorized:
        ground.limits.note_failure(address, now)
        raise


def management_secret(authorization: str | None, api_key: str | None) -> str:
    """Return the management key of `Authorization: Bearer K` or `X-API-Key: K`, or ''."""
    if authorization:
        scheme, _, rest = authorization.strip().partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else ""
    return (api_key or "").strip()


def may_ask_for_password(request: Request[Any, Any, Any]) -> bool:
    """Return whether a refused request is a program's that waits to be asked, as wget does.

    A page that sent a token of its own, and a script of any page, must not make the browser ask its
    reader for a password.
    """
    if request.headers.get("sec-fetch-mode", "navigate") != "navigate":
        return False
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
