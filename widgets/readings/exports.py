"""Exports: a selection as a file, streamed while it is read.

Invariant: an export holds a few batches, whatever it reads; at most `max_exports` run at once in a
worker. Whatever ends the body's iteration ends the query.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import structlog

from twin.errors import Overloaded
from twin.ground import Ground
from twin.tasks import end
from widgets.readings.cursor import Place
from widgets.readings.forms import Encoder, Form, encoder
from widgets.readings.query import Columns
from widgets.readings.reader import reading_session, walk
from widgets.readings.selection import Selection
from widgets.readings.table import arrow_schema, table

BATCH_VALUES = 1_000_000
"""Values of a batch: 8 MB as doubles, and a few times that while they become a table and bytes."""
PIECE_BYTES = 256 * 1024
"""Sent at once."""
RETRY_AFTER_S = 5

_log = structlog.get_logger("widgets.exports")


class Exports:
    """The exports of one worker."""

    def __init__(self, ground: Ground) -> None:
        """Stand on `ground`."""
        self._ground = ground
        self._running = 0

    async def stream(self, selection: Selection, form: Form) -> AsyncGenerator[bytes, None]:
        """Yield the body. Raises Overloaded at the first step when too many run."""
        most = self._ground.settings.max_exports
        if self._running >= most:
            raise Overloaded(
                f"{most} exports run at once already, the most of a worker.",
                retry_after_s=RETRY_AFTER_S,
            )
        self._running += 1
        try:
            async with aclosing(self._body(selection, form)) as body:
                async for chunk in body:
                    for start in range(0, len(chunk), PIECE_BYTES):
                        yield chunk[start : start + PIECE_BYTES]
        except Exception as exc:
            _log.warning("export_failed", datasource=str(selection.schema.id), error=repr(exc))
            raise
        finally:
            self._running -= 1

    async def _body(self, selection: Selection, form: Form) -> AsyncGenerator[bytes, None]:
        batch = max(BATCH_VALUES // (len(selection.keys) + 2), 1)
        writer = encoder(form, arrow_schema(selection))
        wrote = False
        async with (
            reading_session(self._ground) as conn,
            aclosing(ahead(walk(conn, selection, Place(selection.from_us), batch))) as windows,
        ):
            async for columns in windows:
                selection = await self.refreshed(selection)
                yield await asyncio.to_thread(_add, writer, selection, columns)
                wrote = True
        if not wrote:
            yield await asyncio.to_thread(writer.add, arrow_schema(selection).empty_table())
        yield await asyncio.to_thread(writer.end)

    async def refreshed(self, selection: Selection) -> Selection:
        """Return a selection that knows labels and devices as new as its readings.

        Raises NotFound when the datasource was deleted meanwhile.
        """
        schema = await self._ground.schemas.get(selection.schema.id, selection.schema)
        return msgspec.structs.replace(selection, schema=schema)


async def ahead(windows: AsyncGenerator[Columns, None]) -> AsyncGenerator[Columns, None]:
    """Yield windows, reading the next one while one is used."""
    following = asyncio.ensure_future(_next(windows))
    try:
        while (columns := await following) is not None:
            following = asyncio.ensure_future(_next(windows))
            yield columns
    finally:
        await end(following)
        await windows.aclose()


async def _next(windows: AsyncGenerator[Columns, None]) -> Columns | None:
    return await anext(windows, None)


def _add(writer: Encoder, selection: Selection, columns: Columns) -> bytes:
    return writer.add(table(selection, columns))
