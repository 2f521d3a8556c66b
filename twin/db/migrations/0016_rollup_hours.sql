-- A third rollup, of hours, that widgets/rollup_job.py fills from the quarters a whole day (UTC) at a
-- time: a stream's day then lies on a page or two, where hours that come one by one would lie on as
-- many pages as there are hours. A plain table on every home. Per slot: count (NULL: no value), sum,
-- lowest, highest, first and last by time.
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
BEGIN
    EXECUTE format(
        'CREATE TABLE rollup_1h (stream_id int NOT NULL, bucket timestamptz NOT NULL,'
        ' rows int4 NOT NULL, %s, PRIMARY KEY (stream_id, bucket))', slots
    );
    EXECUTE format(
        'INSERT INTO rollup_1h (stream_id, bucket, rows, %s)'
        ' SELECT stream_id, date_trunc(''hour'', bucket, ''UTC''), sum(rows)::int4, %s'
        ' FROM rollup_15m, rollup_mark WHERE bucket < date_trunc(''day'','
        ' to_timestamp(readers_us / 1000000), ''UTC'') GROUP BY 1, 2 ORDER BY 1, 2',
        columns, combined
    );
END
$$;
