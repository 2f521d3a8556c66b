"""The ingest route as the OpenAPI document shows it; `IngestRoute` answers it before routing."""

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import post
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import Parameter

from ingest.answer import Accepted, Refused
from ingest.formats.media import ARROW, CSV, NDJSON, PARQUET, XLSX
from twin.errors import NotFound
from twin.http_errors import ErrorBody

_ERRORS = {
    400: "the body cannot be read; `accepted` counts what was committed before it broke off",
    401: "missing or invalid key",
    413: "too large, as sent or after decompression",
    415: "type or encoding not supported",
    429: "past the datasource's limits, or too many wrong keys; Retry-After says when to try again",
    503: "overloaded, or the database is away",
}

_BODIES = {
    NDJSON: "a JSON reading a line",
    CSV: "a header record, then a reading a record",
    XLSX: "a sheet with a header row, then a reading a row",
    ARROW: "record batches of an Arrow IPC stream",
    PARQUET: "a Parquet file",
}


@dataclass
class IngestOperation(Operation):
    """The operation with the bodies that it takes, by media type."""

    def __post_init__(self) -> None:
        """Describe the bodies."""
        reading = Schema(type=OpenAPIType.OBJECT, additional_properties=True)
        json = Schema(
            one_of=[reading, Schema(type=OpenAPIType.ARRAY, items=reading)],
            description="a reading, an array of readings, columns, or a labelled snapshot",
        )
        content = {"application/json": OpenAPIMediaType(schema=json)}
        for name, description in _BODIES.items():
            schema = Schema(type=OpenAPIType.STRING, description=description)
            content[name] = OpenAPIMediaType(schema=schema)
        self.request_body = RequestBody(content=content, required=True)


@post(
    "/ingest/{datasource_id:str}",
    status_code=200,
    tags=["ingest"],
    operation_class=IngestOperation,
    security=[{"ingest key": []}],
    responses={
        422: ResponseSpec(
            Refused | ErrorBody,
            description="no reading was accepted, or an option is not valid",
            generate_examples=False,
        ),
        **{
            status: ResponseSpec(ErrorBody, description=text, generate_examples=False)
            for status, text in _ERRORS.items()
        },
    },
)
async def ingest(
    datasource_id: str,
    precision: Annotated[
        str | None, Parameter(description="unit of numeric times: s, ms, us or ns")
    ] = None,
    strict: Annotated[bool, Parameter(description="all or nothing")] = False,
    dry_run: Annotated[
        bool, Parameter(description="judge, but do not store; tell what columns were taken for")
    ] = False,
    time_column: Annotated[
        str | None, Parameter(description="of a table; default: found by its name")
    ] = None,
    device_column: Annotated[
        str | None, Parameter(description="of a table; default: found by its name")
    ] = None,
    sheet: Annotated[str | None, Parameter(description="of a workbook; default: the first")] = None,
    delimiter: Annotated[
        str | None, Parameter(description="of CSV; default: found in the header")
    ] = None,
    decimal: Annotated[
        str | None, Parameter(description="'.' or ',' in texts; default: found in the cells")
    ] = None,
    tz: Annotated[
        str | None,
        Parameter(description="time zone of times without offset; default: the datasource's"),
    ] = None,
) -> Accepted:
    """Send readings. 200 means that the accepted ones are committed."""
    raise NotFound


def routes() -> list[Any]:
    """Return the handlers of this module."""
    return [ingest]
