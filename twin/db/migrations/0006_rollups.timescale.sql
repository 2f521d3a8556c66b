-- The rollups, as plain tables that widgets/rollup_job.py fills. Per slot: count (NULL: no value),
-- sum, lowest, highest, first and last by time.
DO $$
DECLARE
    width text;
    slots text := (
        SELECT string_agg(format(
            'n%1$s int4, s%1$s float8, lo%1$s float8, hi%1$s float8, f%1$s float8, l%1$s float8', i
        ), ', ' ORDER BY i) FROM generate_series(0, 15) AS i
    );
BEGIN
    FOREACH width IN ARRAY ARRAY['1m', '15m'] LOOP
        EXECUTE format(
            'CREATE TABLE rollup_%s (stream_id int NOT NULL, bucket timestamptz NOT NULL,'
            ' rows int4 NOT NULL, %s, PRIMARY KEY (stream_id, bucket))', width, slots
        );
    END LOOP;
END
$$;
