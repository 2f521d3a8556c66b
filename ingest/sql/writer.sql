-- name: make_staging
-- Rows of datasources that send some times again pass through here.
CREATE TEMP TABLE IF NOT EXISTS staging (LIKE readings) ON COMMIT DELETE ROWS

-- name: upsert
-- Merges staged rows: a value that is there wins over what is stored, where it differs.
-- Returns how many rows are new per stream.
WITH merged AS (
    INSERT INTO readings AS r (stream_id, ts, {columns})
    SELECT stream_id, ts, {columns} FROM staging ORDER BY stream_id, ts
    ON CONFLICT (stream_id, ts) DO UPDATE SET {merge}
    WHERE {differs}
    RETURNING stream_id, ({is_new}) AS is_new
)
SELECT stream_id, count(*) FROM merged WHERE is_new GROUP BY stream_id

-- name: upsert_bare
-- The same for rows that hold no value at all: they only have to exist.
WITH merged AS (
    INSERT INTO readings (stream_id, ts)
    SELECT stream_id, ts FROM staging ORDER BY stream_id, ts
    ON CONFLICT (stream_id, ts) DO NOTHING
    RETURNING stream_id
)
SELECT stream_id, count(*) FROM merged GROUP BY stream_id

-- name: log_batch
-- What this batch added, a row per datasource.
INSERT INTO ingest_log (datasource_no, readings, first_ts, last_ts, slots,
                        newest_ts, newest_stream, second_ts, second_stream)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)

-- name: store_few
-- A small batch: ids, times, sixteen columns, then the entries of ingest_log.
SELECT store_few(%s, %s,
                 %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
                 %s, %s, %s, %s, %s::text[], %s, %s, %s, %s)

-- name: store_few_if
-- The same, undone unless what a hook foresaw stands; its locks are taken after the rows were written.
SELECT store_few(%s, %s,
                 %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
                 %s, %s, %s, %s, %s::text[], %s, %s, %s, %s),
       stand(%s, %s, %s, %s, %s)

-- name: stand
SELECT stand(%s, %s, %s, %s, %s)
