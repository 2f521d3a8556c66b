-- name: next_time
-- The time of the first reading of some streams in [from, to): a descent of the index each.
SELECT min(first.ts)
FROM unnest(%(streams)s::int[]) AS s (stream_id)
CROSS JOIN LATERAL (
    SELECT r.ts
    FROM readings AS r
    WHERE r.stream_id = s.stream_id AND r.ts >= %(from)s AND r.ts < %(to)s
    ORDER BY r.ts
    LIMIT 1
) AS first
