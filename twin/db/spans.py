"""The stretches of time that hold readings: native partitions or TimescaleDB's chunks.

Work over all readings goes span by span, so that the planner never opens every partition at once.
"""

import msgspec

from twin.clock import to_us as us_of
from twin.db.capabilities import Home
from twin.db.pool import AsyncConnection
from twin.db.queries import load

_queries = load("twin", "spans")


class Span(msgspec.Struct, frozen=True):
    """One partition or chunk of `readings`: its relation and [from_us, to_us)."""

    schema: str
    table: str
    from_us: int
    to_us: int


async def spans(conn: AsyncConnection, home: Home, from_us: int, to_us: int) -> list[Span]:
    """Return the spans that overlap [from_us, to_us), oldest first."""
    name = "partitions" if home is Home.NATIVE else "chunks"
    cursor = await conn.execute(_queries[name])
    found = [
        Span(schema, table, us_of(begin), us_of(end))
        for schema, table, begin, end in await cursor.fetchall()
    ]
    return [span for span in found if span.from_us < to_us and span.to_us > from_us]
