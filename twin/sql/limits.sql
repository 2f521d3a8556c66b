-- name: send_counts
INSERT INTO limit_counts (subject, starts_at, host, used, ends_at)
SELECT c.subject, c.starts_at, %(host)s, c.used, c.ends_at
FROM unnest(%(subjects)s::bigint[], %(starts)s::bigint[], %(used)s::bigint[], %(ends)s::bigint[])
     AS c (subject, starts_at, used, ends_at)
ON CONFLICT (subject, starts_at, host)
DO UPDATE SET used = excluded.used, updated_at = clock_timestamp()

-- name: clock
SELECT clock_timestamp()

-- name: counts_elsewhere
-- The sums over all other hosts of what one of them moved since the last look.
SELECT c.subject, c.starts_at, max(c.ends_at), sum(c.used)
FROM limit_counts c
WHERE c.host <> %(host)s AND c.ends_at > %(now_s)s
  AND (%(since)s::timestamptz IS NULL OR (c.subject, c.starts_at) IN (
      SELECT m.subject, m.starts_at FROM limit_counts m
      WHERE m.host <> %(host)s AND m.updated_at > %(since)s))
GROUP BY c.subject, c.starts_at

-- name: forget_counts
DELETE FROM limit_counts WHERE ends_at < %s
