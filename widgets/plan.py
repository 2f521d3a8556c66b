"""From a question about one key to one SQL statement.

Pure. Every statement gives rows (bucket, grp, n, value, lo, hi): the bucket's begin in µs or 0, the
stream id or value of the group or 0, how many values went in, the aggregate, and the envelope or
NULL. Where a rollup is read, a last row says with n = CLEAN, and the number of cleanings so far as
value, that no hour of it is dirty, or with n = DIRTY that one is and the rows do not count.
Invariant: the rows are those of the raw readings, whatever relation they come from.
"""

from functools import lru_cache
from typing import Any

import msgspec
from psycopg import sql

from twin.clock import to_datetime
from widgets.buckets import BucketSql, bucket_sql, microseconds
from widgets.grid import FixedGrid
from widgets.question import Question, column_names, group_sql, trusted
from widgets.raw_plan import raw_statement
from widgets.segments import RAW, WIDTHS_US, Relation, Segment, divide, edge_step, raw

_ORDERED = ("first", "last")
CLEAN, DIRTY = -2, -1
_COMBINED = {
    "avg": "sum(s) / sum(n)",
    "min": "min(lo)",
    "max": "max(hi)",
    "sum": "sum(s)",
    "count": "sum(n)::float8",
    "first": "(array_agg(f ORDER BY t, grp))[1]",
    "last": "(array_agg(l ORDER BY t DESC, grp DESC))[1]",
}
"""An aggregate of parts: a part is a reading's value or a closed bucket of a rollup."""
_OF_ONE = {
    "avg": "s / n",
    "min": "lo",
    "max": "hi",
    "sum": "s",
    "count": "n::float8",
    "first": "f",
    "last": "l",
}
"""The same of a single part."""


class Query(msgspec.Struct, frozen=True):
    """A statement, its parameters, and the bound on the values that may go in (0: none).

    `is_checked`: it ends with the row of CLEAN or DIRTY. `if_dirty` is what to ask then instead.
    """

    statement: sql.Composed | bytes
    params: dict[str, Any]
    max_rows: int = 0
    is_checked: bool = False
    if_dirty: "Query | None" = None


def reads_rollups(question: Question) -> bool:
    """Return whether a rollup can answer for what is closed."""
    return question.agg in _COMBINED and question.grouping != "value"


def plan(
    question: Question, closed_us: int, max_raw_rows: int, held_from_us: int | None = None
) -> Query:
    """Return the query that answers a question.

    `closed_us`: the rollups' mark. `max_raw_rows`: the bound where only raw readings can answer.
    `held_from_us`: the rows from there to the question's begin are there already; whether they still
    hold is asked too, and nothing in place of what is dirty.
    """
    params: dict[str, Any] = {"streams": list(question.streams)}
    if not reads_rollups(question):
        params |= _span(question.from_us, question.end_us) | {"cap": max_raw_rows + 1}
        return Query(raw_statement(question, params), params, max_raw_rows)
    step_us = 0 if question.window is None else edge_step(question.window)
    segments = divide(question.from_us, question.end_us, step_us, closed_us)
    rolled = [s for s in segments if s.relation != RAW]
    shape = _shape(question, segments, params)
    if not rolled and held_from_us is None:
        return Query(_combined(shape, is_checked=False, with_dirty=False), params)
    ends_us = [question.from_us, *(s.end_us for s in rolled)]
    from_us = rolled[0].from_us if held_from_us is None else held_from_us
    params |= _span(from_us, max(ends_us), "rolled")
    if rolled and _is_pooled_order(question):
        statement = _ordered(shape)
        params |= _span(question.from_us, question.end_us, "all")
        whole: dict[str, Any] = {"streams": params["streams"]}
        raws = _shape(question, raw(question.from_us, question.end_us), whole)
        otherwise = Query(_combined(raws, is_checked=False, with_dirty=False), whole)
    else:
        statement = _combined(shape, is_checked=True, with_dirty=False)
        otherwise = Query(_combined(shape, is_checked=False, with_dirty=True), params)
    return Query(
        statement, params, is_checked=True, if_dirty=otherwise if held_from_us is None else None
    )


def _is_pooled_order(question: Question) -> bool:
    """Return whether the first or last of several streams is asked for.

    A rollup knows the order within a stream, not which of two devices spoke first.
    """
    pooled = len(question.streams) > 1 and question.grouping in ("whole", "time")
    return pooled and question.agg in _ORDERED


class _Shape(msgspec.Struct, frozen=True):
    """What the text of a statement depends on."""

    bucket: BucketSql
    group: str
    agg: str
    envelope: bool
    column: int
    relations: tuple[Relation, ...]
    is_single: bool
    """Whether it is of one stream."""
    ready: int | None
    """The number of the segment whose buckets are the answer's own."""


def _shape(question: Question, segments: list[Segment], params: dict[str, Any]) -> _Shape:
    """Return the shape of a question over segments, and give `params` what it refers to."""
    for index, segment in enumerate(segments):
        params |= _span(segment.from_us, segment.end_us, f"s{index}")
    bucket = bucket_sql(question.window, params)
    return _Shape(
        bucket=bucket,
        group=group_sql(question),
        agg=question.agg,
        envelope=question.envelope,
        column=question.column,
        relations=tuple(segment.relation for segment in segments),
        is_single=len(question.streams) == 1,
        ready=_ready(question, segments),
    )


def _ready(question: Question, segments: list[Segment]) -> int | None:
    """Return the number of the segment of a single stream whose rows need no more aggregation.

    Its edges are bucket edges then, so no other segment has a part in its buckets.
    """
    grid = None if question.window is None else question.window.grid
    if len(question.streams) != 1 or not isinstance(grid, FixedGrid):
        return None
    for number, segment in enumerate(segments):
        width_us = WIDTHS_US.get(segment.relation)
        if width_us == grid.width_us and grid.origin_us % width_us == 0:
            return number
    return None


_IS_DIRTY = (
    "EXISTS (SELECT FROM rollup_dirty WHERE stream_id = ANY(%(streams)s)"
    " AND hour > %(rolled_from)s - interval '1 hour' AND hour < %(rolled_end)s)"
)
_CHECK = (
    f"SELECT NULL, NULL, CASE WHEN {_IS_DIRTY} THEN {DIRTY} ELSE {CLEAN} END,"
    " cleanings::float8, NULL, NULL FROM rollup_mark"
)
_IF_CLEAN = f" WHERE NOT {_IS_DIRTY}"


@lru_cache(maxsize=1000)
def _combined(shape: _Shape, *, is_checked: bool, with_dirty: bool) -> bytes:
    """Return the statement that aggregates the parts of a shape; `with_dirty`: those hours raw.

    `is_checked`: with the row that says whether an hour of theirs is dirty; of several streams nothing
    is aggregated then. Looking for dirty hours bucket by bucket took half of the time of a year's
    line, and planning to read them as long as that of a day's: there mostly are none. One statement,
    so that both see the same snapshot. Kept as bytes: putting one together took half a millisecond.
    """
    ready = shape.ready if is_checked else None
    branches = [
        _branch(index, relation, shape.column, with_dirty=with_dirty)
        for index, relation in enumerate(shape.relations)
        if index != ready
    ]
    if with_dirty:
        branches.append(_dirty_hours(shape.column))
    selects: list[sql.Composable] = []
    if ready is not None:
        selects.append(_as_it_is(ready, shape))
    if branches:
        condition = _IF_CLEAN if is_checked and not shape.is_single else ""
        selects.append(_aggregate(shape, branches, condition))
    if is_checked:
        selects.append(sql.SQL(_CHECK))
    statement = sql.SQL(" UNION ALL ").join(selects) + sql.SQL(" ORDER BY 1, 2, 3 DESC")
    return statement.as_bytes(None)


def _aggregate(shape: _Shape, branches: list[sql.Composed], condition: str) -> sql.Composed:
    return sql.SQL(
        "(SELECT {bucket}, {grp}, sum(n)::bigint, {value}, {lo}, {hi} FROM ({parts}) AS parts{condition}"
        " GROUP BY {key}, 2 HAVING sum(n) > 0)"
    ).format(
        bucket=trusted(shape.bucket.shown),
        key=trusted(shape.bucket.key),
        grp=trusted(shape.group),
        value=sql.SQL(_COMBINED[shape.agg]),
        lo=sql.SQL("min(lo)" if shape.envelope else "NULL::float8"),
        hi=sql.SQL("max(hi)" if shape.envelope else "NULL::float8"),
        parts=sql.SQL(" UNION ALL ").join(branches),
        condition=trusted(condition),
    )


def _as_it_is(index: int, shape: _Shape) -> sql.Composed:
    """Return rows of a rollup whose buckets are those of the answer: grouping them took a seventh."""
    return sql.SQL(
        "SELECT {bucket}, {grp}, n::bigint, {value}, {lo}, {hi} FROM ({part}) AS ready"
    ).format(
        bucket=trusted(microseconds("t")),
        grp=trusted(shape.group),
        value=sql.SQL(_OF_ONE[shape.agg]),
        lo=sql.SQL("lo" if shape.envelope else "NULL::float8"),
        hi=sql.SQL("hi" if shape.envelope else "NULL::float8"),
        part=_branch(index, shape.relations[index], shape.column, with_dirty=False),
    )


# A bucket's outermost part tells where its first or last reading lies; which stream spoke there is
# looked up in the readings. The window's bounds are repeated so that other partitions are left out
# already by the planner.
_OUTERMOST = (
    "WITH edges AS (SELECT {bucket} AS b, sum(n)::bigint AS n, {edge}(t) AS t, {edge}(u) AS u"
    " FROM ({parts}) AS parts{condition} GROUP BY {key})"
    " (SELECT e.b, 0, e.n, p.v, NULL::float8, NULL::float8 FROM edges AS e"
    " CROSS JOIN LATERAL (SELECT r.v FROM unnest(%(streams)s::int[]) AS id CROSS JOIN LATERAL ("
    "SELECT ts, {v} AS v FROM readings WHERE stream_id = id AND ts >= e.t AND ts < e.u"
    " AND ts >= %(all_from)s AND ts < %(all_end)s AND {v} IS NOT NULL ORDER BY ts {order} LIMIT 1"
    ") AS r ORDER BY r.ts {order}, id {order} LIMIT 1) AS p){check} ORDER BY 1, 2, 3 DESC"
)
_WIDTHS: dict[Relation, str] = {
    "readings": "1 microsecond",
    "rollup_1m": "1 minute",
    "rollup_5m": "5 minutes",
    "rollup_15m": "15 minutes",
    "rollup_1h": "1 hour",
}


@lru_cache(maxsize=1000)
def _ordered(shape: _Shape) -> bytes:
    """Return the statement for the first or last value of several streams, checked."""
    is_last = shape.agg == "last"
    branches = [_edge(index, relation, shape) for index, relation in enumerate(shape.relations)]
    statement = sql.SQL(_OUTERMOST).format(
        bucket=trusted(shape.bucket.shown),
        key=trusted(shape.bucket.key),
        edge=sql.SQL("max" if is_last else "min"),
        order=sql.SQL("DESC" if is_last else "ASC"),
        parts=sql.SQL(" UNION ALL ").join(branches),
        condition=trusted(_IF_CLEAN),
        check=trusted(" UNION ALL " + _CHECK),
        **column_names(shape.column),
    )
    return statement.as_bytes(None)


def _edge(index: int, relation: Relation, shape: _Shape) -> sql.Composed:
    """Return rows (t, u, n): a part's begin, end and number of values."""
    return sql.SQL("SELECT t, t + interval {width} AS u, n FROM ({branch}) AS part").format(
        width=sql.Literal(_WIDTHS[relation]),
        branch=_branch(index, relation, shape.column, with_dirty=False),
    )


def _branch(index: int, relation: Relation, column: int, *, with_dirty: bool) -> sql.Composed:
    """Return rows (grp, t, n, s, lo, hi, f, l) of a segment."""
    names = {
        "begin": sql.Placeholder(f"s{index}_from"),
        "stop": sql.Placeholder(f"s{index}_end"),
        "relation": sql.Identifier(relation),
        **column_names(column),
    }
    if relation == "readings":
        return sql.SQL(
            "SELECT stream_id AS grp, ts AS t, 1 AS n, {v} AS s, {v} AS lo, {v} AS hi, {v} AS f,"
            " {v} AS l FROM {relation} WHERE stream_id = ANY(%(streams)s)"
            " AND ts >= {begin} AND ts < {stop} AND {v} IS NOT NULL"
        ).format(**names)
    return sql.SQL(
        "SELECT stream_id AS grp, bucket AS t, {n}::int AS n, {s} AS s, {lo} AS lo, {hi} AS hi,"
        " {f} AS f, {l} AS l FROM {relation} AS r"
        " WHERE stream_id = ANY(%(streams)s) AND bucket >= {begin} AND bucket < {stop} AND {n} > 0"
        "{without_dirty}"
    ).format(**names, without_dirty=sql.SQL(_WITHOUT_DIRTY if with_dirty else ""))


_WITHOUT_DIRTY = (
    " AND NOT EXISTS (SELECT FROM rollup_dirty AS d WHERE d.stream_id = r.stream_id"
    " AND d.hour = date_trunc('hour', r.bucket))"
)


def _dirty_hours(column: int) -> sql.Composed:
    # OFFSET 0 keeps this an index descent per dirty hour: as a join the planner, who expects many
    # dirty hours where there are none, reads all readings of the window. The window's bounds are
    # repeated so that other partitions are left out already by the planner.
    return sql.SQL(
        "SELECT d.stream_id, r.ts, 1, r.v, r.v, r.v, r.v, r.v FROM"
        " (SELECT DISTINCT stream_id, hour FROM rollup_dirty WHERE stream_id = ANY(%(streams)s)"
        " AND hour > %(rolled_from)s - interval '1 hour' AND hour < %(rolled_end)s) AS d"
        " CROSS JOIN LATERAL (SELECT ts, {v} AS v FROM readings WHERE stream_id = d.stream_id"
        " AND ts >= greatest(d.hour, %(rolled_from)s)"
        " AND ts < least(d.hour + interval '1 hour', %(rolled_end)s)"
        " AND ts >= %(rolled_from)s AND ts < %(rolled_end)s"
        " AND {v} IS NOT NULL OFFSET 0) AS r"
    ).format(**column_names(column))


def _span(from_us: int, end_us: int, prefix: str = "") -> dict[str, Any]:
    start = f"{prefix}_" if prefix else ""
    return {f"{start}from": to_datetime(from_us), f"{start}end": to_datetime(end_us)}
