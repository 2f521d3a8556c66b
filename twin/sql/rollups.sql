-- The marks and dirty hours of the rollups. twin/rollups.py says why they are exact.

-- name: begin
SELECT ingest_begin()

-- name: mark_dirty
-- Streams and hours since 1970, each pair once.
INSERT INTO rollup_dirty (stream_id, hour)
SELECT stream_id, to_timestamp(hour * 3600)
FROM unnest(%s::int[], %s::bigint[]) AS old (stream_id, hour)
