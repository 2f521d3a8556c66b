-- The continuous aggregates of 0006 once more, with another sum. A sum past the doubles is an error in
-- PostgreSQL, which ended the refresh for everybody: that of values near their end is Infinity now, as in
-- the tables of other homes, and whoever asks for it reads the readings. What an aggregate is made of
-- cannot be altered, so where there are readings the job fills all rollups anew, from the oldest on.
DROP MATERIALIZED VIEW rollup_15m;
DROP MATERIALIZED VIEW rollup_1m;
DO $$
DECLARE
    minute text := (
        SELECT string_agg(format(
            'count(v%1$s)::int4 AS n%1$s,'
            ' CASE WHEN min(v%1$s) < -1e300 OR max(v%1$s) > 1e300 THEN ''Infinity''::float8'
            ' ELSE sum(v%1$s) FILTER (WHERE v%1$s BETWEEN -1e300 AND 1e300) END AS s%1$s,'
            ' min(v%1$s) AS lo%1$s, max(v%1$s) AS hi%1$s,'
            ' first(v%1$s, ts) FILTER (WHERE v%1$s IS NOT NULL) AS f%1$s,'
            ' last(v%1$s, ts) FILTER (WHERE v%1$s IS NOT NULL) AS l%1$s', i
        ), ', ' ORDER BY i) FROM generate_series(0, 15) AS i
    );
    quarter text := (
        SELECT string_agg(format(
            'sum(n%1$s)::int4 AS n%1$s, sum(s%1$s) AS s%1$s, min(lo%1$s) AS lo%1$s,'
            ' max(hi%1$s) AS hi%1$s, first(f%1$s, bucket) FILTER (WHERE f%1$s IS NOT NULL) AS f%1$s,'
            ' last(l%1$s, bucket) FILTER (WHERE l%1$s IS NOT NULL) AS l%1$s', i
        ), ', ' ORDER BY i) FROM generate_series(0, 15) AS i
    );
BEGIN
    EXECUTE format(
        'CREATE MATERIALIZED VIEW rollup_1m WITH (timescaledb.continuous,'
        ' timescaledb.materialized_only = true) AS SELECT stream_id,'
        ' time_bucket(''1 minute'', ts) AS bucket, count(*)::int4 AS rows, %s'
        ' FROM readings GROUP BY 1, 2 WITH NO DATA', minute
    );
    EXECUTE format(
        'CREATE MATERIALIZED VIEW rollup_15m WITH (timescaledb.continuous,'
        ' timescaledb.materialized_only = true) AS SELECT stream_id,'
        ' time_bucket(''15 minutes'', bucket) AS bucket, sum(rows)::int4 AS rows, %s'
        ' FROM rollup_1m GROUP BY 1, 2 WITH NO DATA', quarter
    );
END
$$;
ALTER MATERIALIZED VIEW rollup_1m SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'stream_id',
    timescaledb.orderby = 'bucket'
);
ALTER MATERIALIZED VIEW rollup_15m SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'stream_id',
    timescaledb.orderby = 'bucket'
);
CALL add_columnstore_policy('rollup_1m', after => INTERVAL '12 days');
CALL add_columnstore_policy('rollup_15m', after => INTERVAL '12 days');

TRUNCATE rollup_5m, rollup_1h;
UPDATE rollup_mark SET readers_us = 0, cleanings = cleanings + 1
WHERE EXISTS (SELECT FROM readings);
