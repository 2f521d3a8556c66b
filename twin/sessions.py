"""HTTP: /v1/session, how a browser signs in with a management key.

The cookie holds a secret of its own, which scripts cannot read and other sites' pages cannot send. The
key is forgotten once it was checked: what stands in the database ends with the key, or by itself.
"""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie

from twin.auth import SESSION_COOKIE
from twin.clock import now_us, to_datetime
from twin.db.errors import driver_errors
from twin.db.queries import load
from twin.errors import Forbidden, Unauthorized
from twin.ground import Ground
from twin.jobs import Job, session
from twin.keys.secrets import MANAGEMENT_KEY, digest, new_session_secret
from twin.principal import Principal

SESSION_S = 12 * 3600
"""A shift."""
SWEEP_S = 3600.0
_SQL = load("twin", "scenes")


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """The body that signs a browser in."""

    api_key: str


class Session(msgspec.Struct):
    """Whom a browser acts for."""

    key_id: str
    name: str
    tenant_id: str
    environment: str
    scopes: list[str]
    is_operator: bool
    expires_at: datetime | None = None


@post("/v1/session", status_code=201, tags=["session"], security=[{}])
async def sign_in(
    data: SignIn, request: Request[Any, Any, Any], ground: Ground
) -> Response[Session]:
    """Sign a browser in with a management key: the answer sets a cookie that scripts cannot read."""
    principal = await _signed_in(ground, data.api_key.strip(), request)
    secret = new_session_secret()
    values = {"secret_hash": digest(secret), "key_id": principal.key_id, "seconds": SESSION_S}
    with driver_errors():
        async with ground.pool.bound(principal) as conn:
            await conn.execute(_SQL["insert_session"], values)
    cookie = Cookie(
        SESSION_COOKIE,
        value=secret,
        max_age=SESSION_S,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    expires = to_datetime(now_us() + SESSION_S * 1_000_000)
    return Response(_shown(principal, expires), status_code=201, cookies=[cookie])


@get("/v1/session", tags=["session"])
async def read_session(principal: Principal) -> Session:
    """Tell whom the browser, or a key, acts for."""
    if principal.scene_id is not None:
        raise Forbidden("A view token reads its own scene and nothing else.")
    return _shown(principal, None)


@delete("/v1/session", tags=["session"])
async def sign_out(request: Request[Any, Any, Any], ground: Ground) -> Response[None]:
    """Sign the browser out: its cookie is worth nothing from now on."""
    secret = request.cookies.get(SESSION_COOKIE)
    if secret:
        with driver_errors():
            async with ground.pool.everyone() as conn:
                await conn.execute(_SQL["delete_session"], [digest(secret)])
        ground.keys.forget()
        await ground.keys.tell_change()
    gone = Cookie(SESSION_COOKIE, value="", max_age=0, path="/", httponly=True, samesite="strict")
    return Response(None, status_code=204, cookies=[gone])


async def _signed_in(ground: Ground, secret: str, request: Request[Any, Any, Any]) -> Principal:
    """Return whom a key stands for. Raises Unauthorized; RateLimited for an address that guesses."""
    peer = f"{request.client.host}:{request.client.port}" if request.client else ":0"
    address = ground.proxies.client(peer, lambda: request.headers.get("x-forwarded-for", ""))
    ground.limits.check_address(address, now_us())
    try:
        if not MANAGEMENT_KEY.fullmatch(secret):
            raise Unauthorized("Sign in with a management key: tf_live_… or tf_test_….")
        return await ground.keys.principal(secret)
    except Unauthorized:
        ground.limits.note_failure(address, now_us())
        raise


def session_job() -> Job:
    """Return the job that clears ended sessions away."""
    return Job("sessions", SWEEP_S, _sweep)


async def _sweep(ground: Ground) -> None:
    async with session(ground, "sessions") as conn:
        await conn.execute(_SQL["delete_expired_sessions"])


def _shown(principal: Principal, expires_at: datetime | None) -> Session:
    return Session(
        principal.key_id,
        principal.name,
        principal.tenant_id,
        principal.environment,
        sorted(principal.scopes),
        principal.is_operator,
        expires_at,
    )


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [sign_in, read_session, sign_out]
