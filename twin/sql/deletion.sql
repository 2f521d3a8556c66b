-- Deleting readings in slices. twin/deletion.py says what a slice keeps exact.

-- name: allow_compressed
-- A delete in a columnstore chunk may have to unpack more rows than the default allows.
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0

-- name: find_edge
-- The row that is %(rows)s rows after a place: where a slice ends.
SELECT stream_id, ts
FROM readings
WHERE stream_id = ANY (%(streams)s::int[]) AND ts >= %(from)s AND ts < %(to)s
    AND (stream_id, ts) >= (%(stream)s, %(ts)s)
ORDER BY stream_id, ts
OFFSET %(rows)s
LIMIT 1

-- name: delete_slice
-- Delete, mark dirty, log and count the removal in one statement; returns the number of rows.
WITH gone AS (
    DELETE FROM readings
    WHERE stream_id = ANY (%(streams)s::int[]) AND ts >= %(from)s AND ts < %(to)s
        AND (stream_id, ts) >= (%(stream)s, %(ts)s)
        AND (stream_id, ts) < (%(until_stream)s, %(until_ts)s)
    RETURNING stream_id, ts
),
dirty AS (
    INSERT INTO rollup_dirty (stream_id, hour)
    SELECT DISTINCT stream_id, date_trunc('hour', ts, 'UTC') FROM gone
),
logged AS (
    INSERT INTO ingest_log (datasource_no, readings)
    SELECT s.datasource_no, -count(*)
    FROM gone
    JOIN streams AS s USING (stream_id)
    WHERE s.page = 0
    GROUP BY s.datasource_no
),
noted AS (
    INSERT INTO removals AS r (datasource_no)
    SELECT DISTINCT s.datasource_no FROM gone JOIN streams AS s USING (stream_id) ORDER BY 1
    ON CONFLICT (datasource_no) DO UPDATE SET number = r.number + 1
)
SELECT count(*) FROM gone

-- name: empty_slice
-- Empty one slot, mark dirty, count the removal; returns the number of rows that held a value.
WITH emptied AS (
    UPDATE readings
    SET {column} = NULL
    WHERE stream_id = ANY (%(streams)s::int[]) AND ts >= %(from)s AND ts < %(to)s
        AND (stream_id, ts) >= (%(stream)s, %(ts)s)
        AND (stream_id, ts) < (%(until_stream)s, %(until_ts)s)
        AND {column} IS NOT NULL
    RETURNING stream_id, ts
),
dirty AS (
    INSERT INTO rollup_dirty (stream_id, hour)
    SELECT DISTINCT stream_id, date_trunc('hour', ts, 'UTC') FROM emptied
),
noted AS (
    INSERT INTO removals AS r (datasource_no)
    SELECT DISTINCT s.datasource_no FROM emptied JOIN streams AS s USING (stream_id) ORDER BY 1
    ON CONFLICT (datasource_no) DO UPDATE SET number = r.number + 1
)
SELECT count(*) FROM emptied
