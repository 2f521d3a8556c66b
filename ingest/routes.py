"""The ingest route as the OpenAPI document shows it; `IngestRoute` answers it before routing."""

from typing import Annotated, Any

from litestar import post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Body, Parameter

from ingest.answer import Accepted, Refused
from twin.errors import NotFound
from twin.http_errors import ErrorBody

_ERRORS = {
    400: "the body cannot be read",
    401: "missing or invalid key",
    413: "too large, as sent or after decompression",
    415: "type or encoding not supported",
    503: "overloaded, or the database is away",
}


@post(
    "/ingest/{datasource_id:str}",
    status_code=200,
    tags=["ingest"],
    security=[{"ingest key": []}],
    responses={
        422: ResponseSpec(Refused, description="no reading was accepted"),
        **{status: ResponseSpec(ErrorBody, description=text) for status, text in _ERRORS.items()},
    },
)
async def ingest(
    datasource_id: str,
    data: Annotated[
        dict[str, Any] | list[dict[str, Any]],
        Body(description="a reading, an array of readings, columns, or a labelled snapshot"),
    ],
    precision: Annotated[
        str | None, Parameter(description="unit of numeric times: s, ms, us or ns")
    ] = None,
    strict: Annotated[bool, Parameter(description="all or nothing")] = False,
    dry_run: Annotated[bool, Parameter(description="judge, but do not store")] = False,
) -> Accepted:
    """Send readings. 200 means that the accepted ones are committed."""
    raise NotFound


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [ingest]
