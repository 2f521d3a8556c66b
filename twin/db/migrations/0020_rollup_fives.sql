-- A fourth rollup, of five minutes, that widgets/rollup_job.py fills from the minutes a whole hour at a
-- time and keeps for days: a day's line of 300 points reads 288 rows of it instead of 1,440. A plain table
-- on every home, begun with the last days. Per slot: count (NULL: no value), sum, lowest, highest, first
-- and last by time.
DO $$
DECLARE
    slots text := (
        SELECT string_agg(format(
            'n%1$s int4, s%1$s float8, lo%1$s float8, hi%1$s float8, f%1$s float8, l%1$s float8', i
        ), ', ' ORDER BY i) FROM generate_series(0, 15) AS i
    );
    columns text := (
        SELECT string_agg(format('n%1$s, s%1$s, lo%1$s, hi%1$s, f%1$s, l%1$s', i), ', ' ORDER BY i)
        FROM generate_series(0, 15) AS i
    );
    combined text := (
        SELECT string_agg(format(
            'sum(n%1$s)::int4, sum(s%1$s), min(lo%1$s), max(hi%1$s),'
            ' (array_agg(f%1$s ORDER BY bucket) FILTER (WHERE f%1$s IS NOT NULL))[1],'
            ' (array_agg(l%1$s ORDER BY bucket DESC) FILTER (WHERE l%1$s IS NOT NULL))[1]', i
        ), ', ' ORDER BY i) FROM generate_series(0, 15) AS i
    );
    closed timestamptz := (SELECT to_timestamp(readers_us / 1000000) FROM rollup_mark);
BEGIN
    EXECUTE format(
        'CREATE TABLE rollup_5m (stream_id int NOT NULL, bucket timestamptz NOT NULL,'
        ' rows int4 NOT NULL, %s, PRIMARY KEY (stream_id, bucket))', slots
    );
    EXECUTE format(
        'INSERT INTO rollup_5m (stream_id, bucket, rows, %s)'
        ' SELECT stream_id, date_bin(''5 minutes'', bucket, ''1970-01-01 00:00+00''), sum(rows)::int4, %s'
        ' FROM rollup_1m WHERE bucket >= $1 AND bucket < $2 GROUP BY 1, 2 ORDER BY 1, 2',
        columns, combined
    ) USING date_trunc('day', closed, 'UTC') - interval '8 days', date_trunc('hour', closed, 'UTC');
END
$$;
