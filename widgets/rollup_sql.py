"""The statements that fill the rollup tables: 16 slots times six aggregates, made once.

Pure. Columns per slot i: n{i} count (NULL without a value), s{i} sum, lo{i}, hi{i}, and by time the
first f{i} and last l{i}.
"""

from functools import cache
from typing import Literal, LiteralString

from psycopg import sql

from twin.batch import PAGE_SLOTS
from twin.db.queries import load

_COLUMNS = "n{i}, s{i}, lo{i}, hi{i}, f{i}, l{i}"
_AGGREGATES = (
    "count(r.v{i})::int4 AS n{i},"
    " CASE WHEN min(r.v{i}) < -1e300 OR max(r.v{i}) > 1e300 THEN 'Infinity'::float8"
    " ELSE sum(r.v{i}) FILTER (WHERE r.v{i} BETWEEN -1e300 AND 1e300) END AS s{i},"
    " min(r.v{i}) AS lo{i}, max(r.v{i}) AS hi{i}"
)
"""A sum past the doubles is an error in PostgreSQL, which would end the refresh for everybody: that of
values near their end is Infinity here, and whoever asks for it reads the readings (`widgets/run.py`)."""
_VALUES = (
    "NULLIF(m.n{i}, 0), m.s{i}, m.lo{i}, m.hi{i},"
    " CASE WHEN m.n{i} > 0 THEN coalesce(opening.v{i}, {earliest}) END,"
    " CASE WHEN m.n{i} > 0 THEN coalesce(closing.v{i}, {latest}) END"
)
_FINER = {"rollup_5m": ("5 minutes", "rollup_1m"), "rollup_1h": ("1 hour", "rollup_15m")}
"""The width of a bucket, and the rollup that it is made of."""
_COMBINED = (
    "sum(n{i})::int4, sum(s{i}), min(lo{i}), max(hi{i}),"
    " (array_agg(f{i} ORDER BY bucket) FILTER (WHERE f{i} IS NOT NULL))[1],"
    " (array_agg(l{i} ORDER BY bucket DESC) FILTER (WHERE l{i} IS NOT NULL))[1]"
)


@cache
def aggregate(source: Literal["from_range", "from_pairs"]) -> sql.Composed:
    """Return the statement that aggregates readings of [%(from)s, %(to)s) into both widths.

    `from_range`: all streams. `from_pairs`: the hours since 1970 %(hours)s of the streams
    %(streams)s.
    """
    return _template("aggregate").format(
        source=_template(source),
        columns=_each_slot(_COLUMNS),
        aggregates=_each_slot(_AGGREGATES),
        values=_each_slot(_VALUES),
        combined=_each_slot(_COMBINED),
    )


@cache
def coarser(
    target: Literal["rollup_5m", "rollup_1h"], source: Literal["range", "pairs"]
) -> sql.Composed:
    """Return the statement that makes a rollup's buckets of [%(from)s, %(to)s) of a finer one's.

    `range`: of all streams. `pairs`: as `from_pairs` of `aggregate`.
    """
    width, finer = _FINER[target]
    return _template("coarser").format(
        target=sql.Identifier(target),
        width=sql.Literal(width),
        source=_template(f"finer_{source}").format(finer=sql.Identifier(finer)),
        columns=_each_slot(_COLUMNS),
        combined=_each_slot(_COMBINED),
    )


def _each_slot(template: LiteralString) -> sql.Composed:
    return sql.SQL(", ").join(_slot(template, i) for i in range(PAGE_SLOTS))


def _slot(template: LiteralString, i: int) -> sql.Composed:
    column = sql.SQL("v{}").format(sql.Literal(i))
    return sql.SQL(template).format(
        i=sql.Literal(i),
        earliest=_template("earliest").format(v=column),
        latest=_template("latest").format(v=column),
    )


def _template(name: str) -> sql.SQL:
    return sql.SQL(load("widgets", "rollups")[name].decode())
