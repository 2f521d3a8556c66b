"""Reads a selection window by window, in order of time. The only place here that touches the database.

Invariant: what is held is at most a batch; windows grow and shrink with the density of the readings,
and stretches without any are jumped over. Each window is a statement of its own, so no long snapshot
holds up the database: readings that come in while a selection is read are in it if their time is
still ahead.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from twin.clock import DAY_US, SECOND_US, to_datetime, to_us
from twin.db.errors import driver_errors
from twin.db.pool import AsyncConnection
from twin.db.queries import load
from twin.ground import Ground
from twin.jobs import session
from widgets.readings.cursor import Place
from widgets.readings.query import Columns, columns, window
from widgets.readings.selection import Selection

FIRST_WIDTH_US = 10 * SECOND_US
"""The first window, when nothing is known of the density."""
ONE_STREAM_WIDTH_US = 30 * DAY_US
"""Of one stream only as many rows are read as are wanted, however wide the window."""
GROWTH = 8
"""Most a window grows by at once: a stretch without readings may end in many."""
FILL = 0.7
"""How full of a batch the next window is meant to be."""
WORK_MEM = "64MB"
"""A batch is sorted in memory."""


@asynccontextmanager
async def reading_session(ground: Ground) -> AsyncIterator[AsyncConnection]:
    """Give a connection of its own: slow reading must not take those that keys and schemas need.

    It runs as API requests do and is bound to nobody: it sees readings, by stream ids found before.
    """
    options = {"statement_timeout": f"{ground.settings.query_timeout_ms}ms", "work_mem": WORK_MEM}
    if ground.capabilities.api_role is not None:
        options["role"] = ground.capabilities.api_role
    with driver_errors():
        async with session(ground, "readings", **options) as conn:
            yield conn


async def walk(
    conn: AsyncConnection, selection: Selection, begin: Place, batch: int
) -> AsyncGenerator[Columns, None]:
    """Yield the readings behind `begin`, in order, in batches of 1 … `batch`."""
    pages = selection.pages()
    streams = [streams[0] for streams in selection.streams(pages)]
    if not streams:
        return
    width_us = FIRST_WIDTH_US if len(streams) > 1 else ONE_STREAM_WIDTH_US
    here = max(begin, Place(selection.from_us), key=lambda place: (place.ts_us, place.stream))
    while here.ts_us < selection.to_us:
        end_us = min(here.ts_us + width_us, selection.to_us)
        found = await _window(conn, selection, here, end_us, batch)
        if len(found):
            yield found
        if len(found) == batch:
            width_us = max(found.end.ts_us - here.ts_us, 1)
            here = found.end
            continue
        here = Place(end_us)
        if not len(found):
            moment_us = await _next_time(conn, streams, end_us, selection.to_us)
            if moment_us is None:
                return
            here = Place(moment_us)
        width_us = next_width(width_us, len(found), batch)


def next_width(width_us: int, found: int, batch: int) -> int:
    """Return how wide the window after one with `found` readings should be."""
    wanted = width_us * batch * FILL / found if found else width_us * GROWTH
    return max(1, min(int(wanted), width_us * GROWTH))


async def _window(
    conn: AsyncConnection, selection: Selection, begin: Place, end_us: int, most: int
) -> Columns:
    query = window(selection, begin, end_us, most)
    # Unprepared: the planner then sees the window and leaves out partitions outside it.
    cursor = conn.cursor(binary=True)
    await cursor.execute(query.statement, query.params, prepare=False)
    result = cursor.pgresult
    assert result is not None
    cells = [result.get_value(0, column) for column in range(result.nfields)]
    return columns(cells, len(selection.keys))


async def _next_time(
    conn: AsyncConnection, streams: list[int], from_us: int, to_us_: int
) -> int | None:
    span = {"streams": streams, "from": to_datetime(from_us), "to": to_datetime(to_us_)}
    cursor = await conn.execute(load("widgets", "readings")["next_time"], span, prepare=False)
    row = await cursor.fetchone()
    return None if row is None or row[0] is None else to_us(row[0])
