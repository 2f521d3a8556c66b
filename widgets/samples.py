"""The query for the readings themselves, from which a line's points are picked.

Pure. Rows (stream or NULL, readings that went in, times, values): the latter two as binary arrays,
since a tuple per reading would cost many times the query. Invariant: a group has each time once;
where several pooled devices spoke at the same instant, the aggregate decides.
"""

from psycopg import sql

from twin.clock import to_datetime
from widgets.plan import Query
from widgets.question import Question, column_names

_READINGS = (
    "SELECT stream_id AS grp, ts AS t, {v} AS v FROM readings WHERE stream_id = ANY(%(streams)s)"
    " AND ts >= %(from)s AND ts < %(end)s AND {v} IS NOT NULL LIMIT %(cap)s"
)
_BY_STREAM = (
    "SELECT grp, count(*), array_send(array_agg(t)), array_send(array_agg(v))"
    f" FROM ({_READINGS}) AS raw GROUP BY grp"
)
_POOLED = (
    "SELECT NULL::int, sum(n)::bigint, array_send(array_agg(t)), array_send(array_agg(value)) FROM"
    f" (SELECT t, count(*) AS n, {{value}} AS value FROM ({_READINGS}) AS raw GROUP BY t) AS instants"
    " HAVING count(*) > 0"
)
_OF_AN_INSTANT = {
    "avg": "avg(v)",
    "min": "min(v)",
    "max": "max(v)",
    "sum": "sum(v)",
    "count": "count(v)::float8",
    "first": "(array_agg(v ORDER BY grp))[1]",
    "last": "(array_agg(v ORDER BY grp DESC))[1]",
    "median": "percentile_cont(0.5) WITHIN GROUP (ORDER BY v)",
    "p95": "percentile_cont(0.95) WITHIN GROUP (ORDER BY v)",
    "p99": "percentile_cont(0.99) WITHIN GROUP (ORDER BY v)",
}


def plan_samples(question: Question, max_raw_rows: int) -> Query:
    """Return the query for the readings of a question grouped by device_time, or pooled.

    `max_raw_rows` bounds them: past it the count is larger, and the arrays are not complete.
    """
    params = {
        "streams": list(question.streams),
        "from": to_datetime(question.from_us),
        "end": to_datetime(question.end_us),
        "cap": max_raw_rows + 1,
    }
    template = sql.SQL(_BY_STREAM if question.grouping == "device_time" else _POOLED)
    value = sql.SQL(_OF_AN_INSTANT[question.agg])
    return Query(
        template.format(value=value, **column_names(question.column)), params, max_raw_rows
    )
