"""The newest values of a key, by event time: index descents, never a scan.

Of many streams, the newest two readings of their datasource are looked up where they were written:
no other reading can be newer. Where one was deleted since, or does not hold the key, and for few
streams, each stream is descended into.

A key that has been silent for long would make the descent walk over every later reading of its
device, so after a look at the last minutes and the last hour the rollups tell from where on two
values are to be found.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, LiteralString

import msgspec
from psycopg import sql

from twin.batch import PAGE_SLOTS
from twin.clock import to_datetime
from twin.moments import HOUR_US, MINUTE_US
from widgets.plan import Query
from widgets.question import column_names

NEAR_US = (2 * MINUTE_US, HOUR_US)
"""How far back the first looks go: of readings once a second some 120 rows per stream that does not
have the key, then 3,600."""

FEW_STREAMS = 4
"""Up to so many descents cost no more than asking for the places first."""

_NEWEST = (
    "SELECT p.ts, p.v, 0 FROM unnest(%(streams)s::int[]) AS id CROSS JOIN LATERAL ("
    "SELECT ts, {v} AS v FROM readings WHERE stream_id = id AND ts >= %(from)s AND ts < %(end)s"
    " AND {v} IS NOT NULL ORDER BY ts DESC LIMIT 2) AS p ORDER BY p.ts DESC, id DESC LIMIT 2"
)
_AT_TWO = (
    "SELECT ts, v FROM ("
    "SELECT 0 AS place, ts, {v} AS v FROM readings WHERE stream_id = %(stream0)s AND ts = %(ts0)s"
    " UNION ALL "
    "SELECT 1 AS place, ts, {v} AS v FROM readings WHERE stream_id = %(stream1)s AND ts = %(ts1)s"
    ") AS both_places WHERE v IS NOT NULL ORDER BY place"
)
# Two closed quarters with values hold two of them at least. With fewer, only dirty hours and what
# the rollups do not hold yet can have more. The quarter in which the window begins is one of them: what
# it holds may lie before the window, and then the search begins with the window.
_WHERE_FROM = (
    "WITH quarters AS (SELECT q.bucket FROM unnest(%(streams)s::int[]) AS id CROSS JOIN LATERAL ("
    "SELECT bucket FROM rollup_15m AS r WHERE stream_id = id"
    " AND bucket > %(from)s - interval '15 minutes' AND bucket <= %(end)s - interval '15 minutes'"
    " AND bucket < %(closed)s AND {n} > 0"
    " AND NOT EXISTS (SELECT FROM rollup_dirty AS d WHERE d.stream_id = r.stream_id"
    " AND d.hour = date_trunc('hour', r.bucket))"
    " ORDER BY bucket DESC LIMIT 2) AS q ORDER BY q.bucket DESC LIMIT 2)"
    " SELECT CASE WHEN (SELECT count(*) FROM quarters) = 2 THEN (SELECT min(bucket) FROM quarters)"
    " ELSE least((SELECT min(bucket) FROM quarters), %(closed)s, (SELECT min(hour)"
    " FROM rollup_dirty WHERE stream_id = ANY(%(streams)s))) END"
)


# Several looks in one statement. The bounds of all are repeated as constants, so that partitions
# outside them are left out already by the planner.
_OF_LOOKS = (
    (
        "SELECT p.ts, p.v, look.no FROM unnest(%(nos)s::int[], %(streams)s::int[],"
        " %(columns)s::int[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])"
        " AS look (no, stream, col, begin_ts, end_ts) CROSS JOIN LATERAL ("
        "SELECT ts, {cell} AS v FROM readings WHERE stream_id = look.stream"
        " AND ts >= look.begin_ts AND ts < look.end_ts AND ts >= %(from)s AND ts < %(end)s"
        " AND {cell} IS NOT NULL ORDER BY ts DESC LIMIT 2) AS p"
        " ORDER BY look.no, p.ts DESC, look.stream DESC"
    )
    .format(cell=f"(ARRAY[{', '.join(f'v{i}' for i in range(PAGE_SLOTS))}])[look.col + 1]")
    .encode()
)


class Look(msgspec.Struct, frozen=True):
    """A search for the newest two values of a slot in few streams, within [from, end)."""

    streams: tuple[int, ...]
    column: int
    from_us: int
    end_us: int


class Pool(msgspec.Struct, frozen=True):
    """All devices of a datasource; `of_page` gives the stream beside one of page 0."""

    org_id: int
    datasource_no: int
    of_page: Callable[[int], int]


def newest_two(streams: tuple[int, ...], column: int, from_us: int, end_us: int) -> Query:
    """Return the query for the newest two values of [from, end): rows (ts, value, 0), newest first."""
    return Query(_text(_NEWEST, column), _params(streams, from_us, end_us))


def newest_of(looks: Sequence[Look]) -> Query:
    """Return the query for some looks: rows (ts, value, number), newest first within a look."""
    if len(looks) == 1:  # takes half the time of one that is made for many
        only = looks[0]
        return newest_two(only.streams, only.column, only.from_us, only.end_us)
    pairs = [(no, stream) for no, look in enumerate(looks) for stream in look.streams]
    params: dict[str, Any] = {
        "nos": [no for no, _ in pairs],
        "streams": [stream for _, stream in pairs],
        "columns": [looks[no].column for no, _ in pairs],
        "begins": [to_datetime(looks[no].from_us) for no, _ in pairs],
        "ends": [to_datetime(looks[no].end_us) for no, _ in pairs],
        "from": to_datetime(min(look.from_us for look in looks)),
        "end": to_datetime(max(look.end_us for look in looks)),
    }
    return Query(_OF_LOOKS, params)


def at_two(places: Sequence[tuple[int, int]], column: int) -> Query:
    """Return the query for the values at two places (µs, stream): rows (ts, value), in that order."""
    params: dict[str, Any] = {}
    for i, (ts_us, stream) in enumerate(places):
        params |= {f"ts{i}": to_datetime(ts_us), f"stream{i}": stream}
    return Query(_text(_AT_TWO, column), params)


def where_from(
    streams: tuple[int, ...], column: int, from_us: int, end_us: int, closed_us: int
) -> Query:
    """Return the query for a moment after which the newest two values of [from, end) lie."""
    params = _params(streams, from_us, end_us) | {"closed": to_datetime(closed_us)}
    return Query(_text(_WHERE_FROM, column), params)


@cache  # of three templates and 16 columns: putting one together takes longer than sending it
def _text(template: LiteralString, column: int) -> bytes:
    return sql.SQL(template).format(**column_names(column)).as_bytes(None)


def _params(streams: tuple[int, ...], from_us: int, end_us: int) -> dict[str, Any]:
    return {"streams": list(streams), "from": to_datetime(from_us), "end": to_datetime(end_us)}
