"""HTTP: raw readings of a datasource, page by page and as a file."""

import asyncio
import re
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pyarrow as pa
from litestar import Request, Response, get
from litestar.di import Provide
from litestar.params import Parameter

from twin.ground import Ground
from twin.principal import Principal
from twin.streamed import Streamed
from widgets.readings.cursor import Place, read, write
from widgets.readings.exports import Exports
from widgets.readings.forms import ARROW, CSV, JSON, accepted, file_form, records, whole
from widgets.readings.query import Columns
from widgets.readings.reader import reading_session, walk
from widgets.readings.selection import Selection, select
from widgets.readings.table import arrow_schema, table

DEFAULT_READINGS = 1000
MAX_READINGS = 10_000
"""Most readings of a page: some megabytes of JSON with ten keys. More is an export's business."""
PAGES_AT_ONCE = 4
"""Pages that a worker reads at the same time, each on a connection of its own."""

Ask = Request[Any, Any, Any]
From = Annotated[str | None, Parameter(query="from", description="readings from this time on")]
To = Annotated[str | None, Parameter(description="readings before this time")]
Keys = Annotated[
    list[str] | None,
    Parameter(description="keys, divided by commas; only readings that hold one of them"),
]
DeviceName = Annotated[str | None, Parameter(description="readings of this device alone")]
Limit = Annotated[int, Parameter(ge=1, le=MAX_READINGS, description="most readings of a page")]
Cursor = Annotated[
    str | None, Parameter(description="next_cursor of the page before; the rest unchanged")
]
FileFormat = Annotated[str, Parameter(query="format", description="csv, parquet or arrow")]


class ReadOut(msgspec.Struct, frozen=True, eq=False):
    """What the handlers stand on: one per worker."""

    exports: Exports
    pages: asyncio.Semaphore


class ReadingsPage(msgspec.Struct, frozen=True):
    """Readings in order of time; `next_cursor` is null on the last page."""

    items: list[dict[str, Any]]
    limit: int
    next_cursor: str | None


async def read_readings(
    datasource_id: UUID,
    request: Ask,
    ground: Ground,
    principal: Principal,
    read_out: ReadOut,
    from_: From = None,
    to: To = None,
    keys: Keys = None,
    device: DeviceName = None,
    limit: Limit = DEFAULT_READINGS,
    cursor: Cursor = None,
) -> Response[Any]:
    """Read raw readings of [from, to) in order of time; a row has ts, device, then every key.

    Accept: text/csv and application/vnd.apache.arrow.stream give the same page in those forms, the
    cursor of the next one in the header X-Next-Cursor.
    """
    principal.require("read")
    schema = await ground.schemas.get_for(principal, datasource_id)
    selection = select(schema, from_, to, keys or (), device)
    fingerprint = selection.fingerprint
    begin = Place(selection.from_us) if cursor is None else read(fingerprint, cursor)
    async with read_out.pages:
        found, has_more = await _page(ground, selection, begin, limit)
    selection = await read_out.exports.refreshed(selection)
    following = write(fingerprint, found[-1].end) if has_more else None
    return await asyncio.to_thread(_answer, request, selection, found, limit, following)


async def export_readings(
    datasource_id: UUID,
    ground: Ground,
    principal: Principal,
    read_out: ReadOut,
    format_: FileFormat = "csv",
    from_: From = None,
    to: To = None,
    keys: Keys = None,
    device: DeviceName = None,
) -> Streamed:
    """Read raw readings of [from, to) as a file: csv, parquet or arrow (an IPC stream)."""
    principal.require("read")
    form = file_form(format_)
    schema = await ground.schemas.get_for(principal, datasource_id)
    body = read_out.exports.stream(select(schema, from_, to, keys or (), device), form)
    first = await anext(body)  # what goes wrong before it still has a status of its own
    name = (
        f"{re.sub(r'[^A-Za-z0-9._-]+', '-', schema.name).strip('-.') or 'readings'}.{form.ending}"
    )
    headers = {
        "Content-Type": form.media_type,  # as media_type it would get a charset of its own
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return Streamed(first, body, headers=headers)


async def _page(
    ground: Ground, selection: Selection, begin: Place, limit: int
) -> tuple[list[Columns], bool]:
    """Return the first `limit` readings behind `begin`, and whether there are more."""
    found: list[Columns] = []
    missing = limit + 1
    async with (
        reading_session(ground) as conn,
        aclosing(walk(conn, selection, begin, missing)) as windows,
    ):
        async for columns in windows:
            found.append(columns.head(missing))
            missing -= len(found[-1])
            if not missing:
                found[-1] = found[-1].head(len(found[-1]) - 1)
                break
    return [columns for columns in found if len(columns)], not missing


def _answer(
    request: Ask, selection: Selection, found: list[Columns], limit: int, following: str | None
) -> Response[Any]:
    tables = [table(selection, columns) for columns in found]
    rows = _joined(selection, tables)
    form = accepted(request.headers.get("accept", ""), (JSON, CSV, ARROW))
    headers = {"Vary": "Accept", "Content-Type": form.media_type}
    headers |= {"X-Next-Cursor": following} if following else {}
    if form is JSON:
        content = msgspec.json.encode(ReadingsPage(records(rows), limit, following))
    else:
        content = whole(form, rows)
    return Response(content, headers=headers)


def _joined(selection: Selection, tables: list[Any]) -> Any:
    return pa.concat_tables(tables) if tables else arrow_schema(selection).empty_table()


def routes() -> list[Any]:
    """Return the handlers; they share the bounds of one worker."""
    made: list[ReadOut] = []

    async def provide(ground: Ground) -> ReadOut:
        if not made:
            made.append(ReadOut(Exports(ground), asyncio.Semaphore(PAGES_AT_ONCE)))
        return made[0]

    # No Router: another part of the program answers other methods of the same path.
    path = "/v1/datasources/{datasource_id:uuid}"
    shared: Any = {"tags": ["readings"], "dependencies": {"read_out": Provide(provide)}}
    return [
        get(f"{path}/readings", **shared)(read_readings),
        get(f"{path}/export", **shared)(export_readings),
    ]
