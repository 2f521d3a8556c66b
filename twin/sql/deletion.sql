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
-- Empty one slot, mark dirty, count the removal; returns the number of rows that held a value, and the
-- places of those that hold none any more.
WITH emptied AS (
    UPDATE readings
    SET {column} = NULL
    WHERE stream_id = ANY (%(streams)s::int[]) AND ts >= %(from)s AND ts < %(to)s
        AND (stream_id, ts) >= (%(stream)s, %(ts)s)
        AND (stream_id, ts) < (%(until_stream)s, %(until_ts)s)
        AND {column} IS NOT NULL
    RETURNING stream_id, ts, num_nonnulls({columns}) = 0 AS is_bare
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
SELECT count(*), array_agg(stream_id) FILTER (WHERE is_bare), array_agg(ts) FILTER (WHERE is_bare)
FROM emptied

-- name: join_by_hash
-- For this transaction: the planner takes thousands of places for one, and would try each of them with
-- each reading.
SET LOCAL enable_nestloop = off

-- name: all_pages
-- The streams of the same devices, all pages.
SELECT DISTINCT other.stream_id
FROM streams AS s
JOIN streams AS other USING (datasource_no, device)
WHERE s.stream_id = ANY (%(bare_streams)s::int[])

-- name: hold_readings
-- Locks the first pages of readings. Not FOR UPDATE, which a columnstore refuses.
UPDATE readings AS r
SET v0 = r.v0
FROM unnest(%(bare_streams)s::int[], %(bare_times)s::timestamptz[]) AS place (stream_id, ts)
JOIN streams AS s USING (stream_id)
JOIN streams AS first_page
    ON first_page.datasource_no = s.datasource_no AND first_page.device = s.device
    AND first_page.page = 0
WHERE r.stream_id = first_page.stream_id AND r.ts = place.ts
    AND r.stream_id = ANY (%(streams)s::int[]) AND r.ts >= %(from)s AND r.ts <= %(to)s

-- name: find_bare
-- The rows, of all pages, of those readings at some places that hold no value. The columnstore unpacks
-- what `streams`, `from` and `to` (inclusive) name, joins tell it nothing.
SELECT array_agg(b.stream_id), array_agg(b.ts)
FROM (
    SELECT
        s.stream_id,
        r.ts,
        bool_or(num_nonnulls({columns}) > 0) OVER (PARTITION BY s.datasource_no, s.device, r.ts)
            AS is_filled
    FROM unnest(%(bare_streams)s::int[], %(bare_times)s::timestamptz[]) AS place (stream_id, ts)
    JOIN streams AS one USING (stream_id)
    JOIN streams AS s ON s.datasource_no = one.datasource_no AND s.device = one.device
    JOIN readings AS r ON r.stream_id = s.stream_id AND r.ts = place.ts
    WHERE r.stream_id = ANY (%(streams)s::int[]) AND r.ts >= %(from)s AND r.ts <= %(to)s
) AS b
WHERE NOT b.is_filled

-- name: delete_bare
-- Delete what find_bare found; mark dirty and log the readings.
WITH gone AS (
    DELETE FROM readings AS r
    USING unnest(%(bare_streams)s::int[], %(bare_times)s::timestamptz[]) AS place (stream_id, ts)
    WHERE r.stream_id = place.stream_id AND r.ts = place.ts
        AND r.stream_id = ANY (%(streams)s::int[]) AND r.ts >= %(from)s AND r.ts <= %(to)s
        AND num_nonnulls({columns}) = 0
    RETURNING r.stream_id, r.ts
),
dirty AS (
    INSERT INTO rollup_dirty (stream_id, hour)
    SELECT DISTINCT stream_id, date_trunc('hour', ts, 'UTC') FROM gone
)
INSERT INTO ingest_log (datasource_no, readings)
SELECT s.datasource_no, -count(*)
FROM gone
JOIN streams AS s USING (stream_id)
WHERE s.page = 0
GROUP BY s.datasource_no
