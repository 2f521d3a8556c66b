-- The marks and dirty hours of the rollups. twin/rollups.py says why they are exact.

-- name: begin
SELECT ingest_begin()

-- name: mark_dirty
-- Streams and hours since 1970, each pair once.
INSERT INTO rollup_dirty (stream_id, hour)
SELECT stream_id, to_timestamp(hour * 3600)
FROM unnest(%s::int[], %s::bigint[]) AS old (stream_id, hour)

-- name: reader_state
-- The readers' mark, and the dirty hours of some streams as hours since 1970: one snapshot for both.
SELECT readers_us, ARRAY(
    SELECT DISTINCT (extract(epoch FROM hour) / 3600)::bigint AS hours
    FROM rollup_dirty
    WHERE stream_id = ANY (%(streams)s::int[]) AND hour >= %(from)s AND hour < %(to)s
    ORDER BY hours
)
FROM rollup_mark
