-- The rollups, as continuous aggregates that widgets/rollup_job.py refreshes (no policy of
-- TimescaleDB's: the mark must be known). Per slot: count, sum, lowest, highest, first and last by time.
DO $$
DECLARE
    minute text := (
        SELECT string_agg(format(
            'count(v%1$s)::int4 AS n%1$s, sum(v%1$s) AS s%1$s, min(v%1$s) AS lo%1$s,'
            ' max(v%1$s) AS hi%1$s, first(v%1$s, ts) FILTER (WHERE v%1$s IS NOT NULL) AS f%1$s,'
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

-- Their closed chunks (ten days each) are kept by column too; late hours are unpacked by the refresh.
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
