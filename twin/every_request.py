"""What holds for every route of the framework, beside its own handler.

Invariant: who asks is known before a body is read, a body is taken as its types say and not as they
might be read, and OPTIONS tells every method of a path.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, get_args

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from twin.auth import provide_principal
from twin.errors import UnsupportedMedia
from twin.head_requests import allowed

JSON_TYPES = ("", "application/json", "text/json", "application/x-www-form-urlencoded")
"""Of a body that is JSON; curl -d names a form type when nobody says otherwise."""


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON is not converted: the framework alone would take 0 for false, "5" for 5."""

    async def json(self) -> Any:
        """Return the body, decoded; a POST's without the nulls for what has a default.

        Raises UnsupportedMedia for another type or an encoding, ValidationException for what only a
        conversion could take.
        """
        _check_media(self.headers)
        body = await super().json()
        field = self.route_handler.parsed_data_field
        if field is not None:
            if self.method == "POST" and isinstance(body, dict):
                absent = _defaulted(field.annotation)
                body = {k: v for k, v in body.items() if v is not None or k not in absent}
            _check_strictly(body, field.annotation)
        return body


def _check_media(headers: Mapping[str, str]) -> None:
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in JSON_TYPES and not media.endswith("+json"):
        raise UnsupportedMedia(
            f"Content-Type '{media[:80]}' is not supported here: send application/json."
        )
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMedia(
            f"Content-Encoding '{encoding[:40]}' is not supported here: send the body as it is."
        )


@cache
def _defaulted(wanted: Any) -> frozenset[str]:
    """Return the names of fields that have a default and take no null, which typed clients send."""
    structs = [
        one
        for one in (wanted, *get_args(wanted))
        if isinstance(one, type) and issubclass(one, msgspec.Struct)
    ]
    optional = [f for one in structs for f in msgspec.structs.fields(one) if not f.required]
    return frozenset(field.encode_name for field in optional if not _takes_null(field.type))


def _takes_null(wanted: Any) -> bool:
    try:
        msgspec.convert(None, wanted)
    except msgspec.ValidationError:
        return False
    return True


def _check_strictly(body: Any, wanted: Any) -> None:
    try:
        msgspec.convert(body, wanted, str_keys=True)
    except msgspec.ValidationError as strict:
        try:
            msgspec.convert(body, wanted, strict=False, str_keys=True)
        except msgspec.ValidationError:
            return  # the framework says so too, of all fields
        message, _, place = str(strict).partition(" - at `$")
        key = place.rstrip("`").lstrip(".").replace("[", ".").replace("]", "")
        raise ValidationException(extra=[{"message": message, "key": key or None}]) from strict


async def require_caller(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: refuse a request without a valid key before anything of its body is read."""
    if "principal" in handler.parsed_fn_signature.parameters and isinstance(connection, Request):
        await provide_principal(connection)


async def answer_options(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Answer OPTIONS: the framework's own answer names the methods of a path's first handler only."""
    if request.method != "OPTIONS":
        return None
    template = request.scope["path_template"]
    methods = {
        method
        for route in request.app.routes
        if isinstance(route, HTTPRoute) and route.path_format == template
        for method in route.methods
    }
    return Response(None, status_code=204, headers={"Allow": allowed(methods)})
