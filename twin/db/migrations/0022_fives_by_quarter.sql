-- The fives now follow the readers' mark quarter by quarter, as the minutes do, so that a line's end is
-- read from the readings alone: those of the hour that is not over yet are made here.
DO $$
DECLARE
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
        'INSERT INTO rollup_5m (stream_id, bucket, rows, %s)'
        ' SELECT stream_id, date_bin(''5 minutes'', bucket, ''1970-01-01 00:00+00''), sum(rows)::int4, %s'
        ' FROM rollup_1m WHERE bucket >= $1 AND bucket < $2 GROUP BY 1, 2 ORDER BY 1, 2',
        columns, combined
    ) USING date_trunc('hour', closed, 'UTC'), closed;
END
$$;
