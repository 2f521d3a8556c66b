"""The statements for what only the readings themselves can tell; bounded in rows.

Pure. They give the rows that `widgets/plan.py` describes.
"""

from typing import Any

from psycopg import sql

from widgets.buckets import bucket_sql
from widgets.question import Question, column_names, group_sql, trusted

_PERCENTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99}


def raw_statement(question: Question, params: dict[str, Any]) -> sql.Composed:
    """Return the statement for an aggregate of readings, or the count of each value."""
    if question.grouping == "value":
        value, rows = "count(*)::float8", _RAW_ROWS
    elif question.agg in _PERCENTILES:
        params["fraction"] = _PERCENTILES[question.agg]
        value, rows = "percentile_cont(%(fraction)s) WITHIN GROUP (ORDER BY v)", _RAW_ROWS
    elif question.agg == "delta":
        value, rows = "sum(rise)", _STEPS
    else:
        return _rate_statement(question, params)
    bucket = bucket_sql(question.window, params)
    template = sql.SQL(
        "SELECT {bucket}, {grp}, count(*), {value}, NULL::float8, NULL::float8"
        " FROM ({rows}) AS parts GROUP BY {key}, 2 ORDER BY 1, 2"
    )
    return template.format(
        bucket=trusted(bucket.shown),
        key=trusted(bucket.key),
        grp=trusted(group_sql(question)),
        value=sql.SQL(value),
        rows=sql.SQL(rows).format(**column_names(question.column)),
    )


def _rate_statement(question: Question, params: dict[str, Any]) -> sql.Composed:
    """Rise per second of each stream; pooled streams add up."""
    bucket = bucket_sql(question.window, params)
    template = sql.SQL(
        "SELECT bucket, {grp}, sum(n)::bigint, sum(per_second), NULL::float8, NULL::float8 FROM ("
        "SELECT {bucket} AS bucket, grp, count(*) AS n, sum(rise) / sum(seconds) AS per_second"
        " FROM ({rows}) AS parts GROUP BY {key}, 2) AS rates GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return template.format(
        bucket=trusted(bucket.shown),
        key=trusted(bucket.key),
        grp=trusted(group_sql(question)),
        rows=sql.SQL(_STEPS).format(**column_names(question.column)),
    )


_RAW_ROWS = (
    "SELECT stream_id AS grp, ts AS t, {v} AS v FROM readings WHERE stream_id = ANY(%(streams)s)"
    " AND ts >= %(from)s AND ts < %(end)s AND {v} IS NOT NULL LIMIT %(cap)s"
)
# Each value against the one before of its stream, which may lie before the window; the very first
# has no rise, but counts against the bound. A counter that fell began anew at 0: it rose by what it
# shows (as Prometheus' increase()). Streams without the key are not searched for a value before.
_STEPS = (
    "SELECT grp, t, seconds,"
    " CASE WHEN v >= was THEN v - was WHEN was IS NOT NULL THEN v END AS rise FROM ("
    "SELECT grp, t, v, lag(v) OVER w AS was,"
    " extract(epoch FROM t - lag(t) OVER w)::float8 AS seconds"
    " FROM (WITH inside AS (" + _RAW_ROWS + ") SELECT grp, t, v FROM inside UNION ALL"
    " SELECT grp, p.ts, p.v FROM (SELECT DISTINCT grp FROM inside) AS s CROSS JOIN LATERAL ("
    "SELECT ts, {v} AS v FROM readings WHERE stream_id = s.grp AND ts < %(from)s"
    " AND ts >= %(from)s - interval '31 days' AND {v} IS NOT NULL ORDER BY ts DESC LIMIT 1) AS p"
    ") AS raw WINDOW w AS (PARTITION BY grp ORDER BY t)) AS steps"
    " WHERE t >= %(from)s"
)
