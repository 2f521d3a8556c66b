"""The one place that turns errors into HTTP answers."""

import re
from typing import Any

import msgspec
import psycopg
import psycopg_pool
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)

from twin.auth import may_ask_for_password
from twin.db.errors import translate
from twin.errors import InternalError, Invalid, ItemError, TwinfeedError, Unauthorized, Unreadable
from twin.head_requests import allowed
from twin.logs import redact

log = structlog.get_logger("twin.http")

_encoder = msgspec.json.Encoder()
SHOWN_CHARS = 200
"""Of a path that is repeated in an error."""
_MISSING = re.compile(r"Missing required \w+ parameter '([\w-]+)'")
"""How Litestar says that a parameter is needed, by the name that clients use."""
_NO_BODY = "'data'"
"""How Litestar says that a route needs a body and got none."""


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """The contract's error shape."""

    error: str
    message: str
    detail: str
    status: int
    errors: list[ItemError] = []
    retry_after: int | None = None


def render(exc: TwinfeedError) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers beyond the content's, and the body of an error."""
    body = msgspec.to_builtins(
        ErrorBody(exc.code, exc.message, exc.message, exc.status, exc.errors, exc.retry_after_s)
    )
    headers = []
    if isinstance(exc, Unauthorized):
        headers.append(("www-authenticate", 'Bearer realm="twinfeed"'))
    if exc.retry_after_s is not None:
        headers.append(("retry-after", str(exc.retry_after_s)))
    return exc.status, headers, _encoder.encode({**exc.extra, **body})


def from_any(exc: Exception) -> TwinfeedError:
    """Return our error for any exception; what is not known is logged and hidden."""
    if isinstance(exc, TwinfeedError):
        if isinstance(exc, InternalError):  # a driver's error that nobody foresaw
            log.error("database error", exc_info=exc)
        return exc
    if isinstance(exc, (psycopg.Error, psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests)):
        ours = translate(exc)
        if isinstance(ours, InternalError):
            log.error("database error", exc_info=exc)
        return ours
    if isinstance(exc, RecursionError):  # only a decoder goes as deep as its input says
        return Unreadable("The body is nested too deeply.")
    if isinstance(exc, UnicodeDecodeError):  # likewise: nothing else here is decoded from bytes
        return Unreadable("The body is not UTF-8.")
    log.error("request failed", exc_info=exc)
    return InternalError()


def handle(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    """Answer any exception of a Litestar route."""
    ours = _from_http(request, exc) if isinstance(exc, HTTPException) else from_any(exc)
    status, headers, body = render(ours)
    if isinstance(ours, Unauthorized) and may_ask_for_password(request):
        headers.append(("www-authenticate", 'Bearer realm="twinfeed", Basic realm="twinfeed"'))
    if isinstance(exc, MethodNotAllowedException) and exc.headers:
        methods = {name.lower(): value for name, value in dict(exc.headers).items()}["allow"]
        headers.append(("allow", allowed(methods.split(", "))))
    return Response(body, status_code=status, headers=dict(headers), media_type="application/json")


def _from_http(request: Request[Any, Any, Any], exc: HTTPException) -> TwinfeedError:
    if isinstance(exc, ValidationException):
        return _from_validation(request, exc)
    if isinstance(exc, NotFoundException):
        return _Http(404, "NOT_FOUND", f"There is nothing at {_shown_path(request)}.")
    if isinstance(exc, MethodNotAllowedException):
        message = f"{request.method} is not allowed at {_shown_path(request)}."
        return _Http(405, "METHOD_NOT_ALLOWED", message)
    code = {400: "BAD_REQUEST", 413: "PAYLOAD_TOO_LARGE", 415: "UNSUPPORTED_MEDIA_TYPE"}
    if exc.status_code >= 500:
        log.error("request failed", exc_info=exc)
        return InternalError()
    message = exc.detail
    if exc.status_code == 413:
        most = request.app.request_max_body_size
        message = (
            f"The body is larger than the {most} bytes that are taken here: send less at once."
        )
    elif isinstance(exc.__cause__, SerializationException):
        message = f"The body is not JSON ({exc.detail}): send a JSON object."
    return _Http(exc.status_code, code.get(exc.status_code, "BAD_REQUEST"), message)


def _shown_path(request: Request[Any, Any, Any]) -> str:
    """Return a path that may be repeated: some clients put a key into it."""
    return redact(request.url.path[:SHOWN_CHARS])


def _from_validation(request: Request[Any, Any, Any], exc: ValidationException) -> TwinfeedError:
    extra = exc.extra if isinstance(exc.extra, list) else []
    if any(isinstance(item, dict) and item.get("message") == _NO_BODY for item in extra):
        return Unreadable("The body is empty: send a JSON object.")
    if (missing := _MISSING.match(exc.detail)) is not None:
        needed = ItemError(f"{missing[1]} is needed", key=missing[1])
        return Invalid(f"{needed.message}.", errors=[needed])
    items = [
        ItemError(str(item.get("message", "")), key=_client_name(request, item.get("key")))
        for item in extra
        if isinstance(item, dict)
    ]
    reasons = "; ".join(f"{i.key}: {i.message}" if i.key else i.message for i in items)
    return Invalid(f"The request is not valid: {reasons or exc.detail}", errors=items)


def _client_name(request: Request[Any, Any, Any], name: str | None) -> str | None:
    """Return what a client calls a handler's parameter: `from` is no name that Python allows."""
    handler = request.scope.get("route_handler")
    parameters = {} if handler is None else handler.parsed_fn_signature.parameters
    field = parameters.get(name or "")
    return getattr(getattr(field, "kwarg_definition", None), "query", None) or name or None


class _Http(TwinfeedError):
    """An error of the framework with its own status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status  # type: ignore[misc]
        self.code = code  # type: ignore[misc]
