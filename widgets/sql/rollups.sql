-- Filling the rollups. {braces} are filled in by widgets/rollup_sql.py, which knows the slots.

-- name: lock_refresh
-- One refresh at a time; the lock goes with the session.
SELECT pg_try_advisory_lock(%s)

-- name: limit_lock_wait
SELECT set_config('lock_timeout', %s, true)

-- name: lock_mark
-- Waits for the writers of this moment, and lets new ones wait behind it.
SELECT pg_advisory_xact_lock(%s)

-- name: move_writers_mark
UPDATE rollup_mark SET writers_us = %(mark_us)s WHERE writers_us < %(mark_us)s

-- name: marks
SELECT readers_us, writers_us FROM rollup_mark

-- name: move_readers_mark
UPDATE rollup_mark SET readers_us = %(to_us)s WHERE readers_us = %(from_us)s

-- name: refresh_view
-- A continuous aggregate's buckets within [from, to); commits by itself.
CALL refresh_continuous_aggregate(%s, %s::timestamptz, %s::timestamptz)

-- name: newest_dirty
SELECT coalesce(max(dirty_id), 0) FROM rollup_dirty

-- name: oldest_dirty
-- A batch of entries: id, stream and hour since 1970.
SELECT dirty_id, stream_id, (extract(epoch FROM hour) / 3600)::bigint
FROM rollup_dirty
WHERE dirty_id <= %s
ORDER BY dirty_id
LIMIT %s

-- name: count_cleaning
-- Rows of closed buckets that somebody kept count no more.
UPDATE rollup_mark SET cleanings = cleanings + 1

-- name: delete_dirty
DELETE FROM rollup_dirty WHERE dirty_id = ANY (%s::bigint[])

-- name: delete_hours_1m
DELETE FROM rollup_1m AS rollup
USING unnest(%(streams)s::int[], %(hours)s::bigint[]) AS pair (stream_id, hour)
WHERE rollup.stream_id = pair.stream_id
    AND rollup.bucket >= to_timestamp(pair.hour * 3600)
    AND rollup.bucket < to_timestamp(pair.hour * 3600 + 3600)

-- name: delete_hours_5m
DELETE FROM rollup_5m AS rollup
USING unnest(%(streams)s::int[], %(hours)s::bigint[]) AS pair (stream_id, hour)
WHERE rollup.stream_id = pair.stream_id
    AND rollup.bucket >= to_timestamp(pair.hour * 3600)
    AND rollup.bucket < to_timestamp(pair.hour * 3600 + 3600)

-- name: delete_hours_15m
DELETE FROM rollup_15m AS rollup
USING unnest(%(streams)s::int[], %(hours)s::bigint[]) AS pair (stream_id, hour)
WHERE rollup.stream_id = pair.stream_id
    AND rollup.bucket >= to_timestamp(pair.hour * 3600)
    AND rollup.bucket < to_timestamp(pair.hour * 3600 + 3600)

-- name: delete_hours_1h
DELETE FROM rollup_1h AS rollup
USING unnest(%(streams)s::int[], %(hours)s::bigint[]) AS pair (stream_id, hour)
WHERE rollup.stream_id = pair.stream_id AND rollup.bucket = to_timestamp(pair.hour * 3600)

-- name: coarser
-- Whole buckets of [from, to) out of a finer rollup's.
INSERT INTO {target} (stream_id, bucket, rows, {columns})
SELECT
    r.stream_id,
    date_bin({width}, r.bucket, '1970-01-01 00:00+00') AS coarse,
    sum(r.rows)::int4,
    {combined}
FROM {source}
WHERE r.bucket >= %(from)s AND r.bucket < %(to)s
GROUP BY 1, 2
ORDER BY 1, 2

-- name: finer_range
-- Source of `coarser`: all streams.
{finer} AS r

-- name: finer_pairs
-- Source of `coarser`: some hours of some streams.
unnest(%(streams)s::int[], %(hours)s::bigint[]) AS pair (stream_id, hour)
JOIN {finer} AS r
    ON r.stream_id = pair.stream_id
    AND r.bucket >= to_timestamp(pair.hour * 3600)
    AND r.bucket < to_timestamp(pair.hour * 3600 + 3600)

-- name: drop_fives
-- Fives that nobody reads any more.
DELETE FROM rollup_5m WHERE bucket < %s

-- name: from_range
-- Source of `aggregate`: all streams.
readings AS r

-- name: from_pairs
-- Source of `aggregate`: some hours of some streams.
unnest(%(streams)s::int[], %(hours)s::bigint[]) AS pair (stream_id, hour)
JOIN readings AS r
    ON r.stream_id = pair.stream_id
    AND r.ts >= to_timestamp(pair.hour * 3600)
    AND r.ts < to_timestamp(pair.hour * 3600 + 3600)

-- name: aggregate
-- Both widths of [from, to) in one pass over the readings. PostgreSQL has no cheap first and last:
-- they are looked up in a bucket's first and last reading, and only where that has no value for the
-- slot among the others (three times the speed of array_agg). The bounds are repeated so that other
-- partitions are left out already by the planner.
WITH minute AS MATERIALIZED (
    SELECT
        r.stream_id,
        date_bin('1 minute', r.ts, '1970-01-01 00:00+00') AS bucket,
        count(*)::int4 AS rows,
        min(r.ts) AS first_ts,
        max(r.ts) AS last_ts,
        {aggregates}
    FROM {source}
    WHERE r.ts >= %(from)s AND r.ts < %(to)s
    GROUP BY 1, 2
),
stored AS (
    INSERT INTO rollup_1m (stream_id, bucket, rows, {columns})
    SELECT m.stream_id, m.bucket, m.rows, {values}
    FROM minute AS m
    CROSS JOIN LATERAL (
        SELECT * FROM readings AS r
        WHERE r.stream_id = m.stream_id AND r.ts = m.first_ts
            AND r.ts >= %(from)s AND r.ts < %(to)s
        OFFSET 0
    ) AS opening
    CROSS JOIN LATERAL (
        SELECT * FROM readings AS r
        WHERE r.stream_id = m.stream_id AND r.ts = m.last_ts
            AND r.ts >= %(from)s AND r.ts < %(to)s
        OFFSET 0
    ) AS closing
    ORDER BY m.stream_id, m.bucket
    RETURNING *
)
INSERT INTO rollup_15m (stream_id, bucket, rows, {columns})
SELECT
    stream_id,
    date_bin('15 minutes', bucket, '1970-01-01 00:00+00') AS quarter,
    sum(rows)::int4,
    {combined}
FROM stored
GROUP BY 1, 2
ORDER BY 1, 2

-- name: earliest
-- A slot's first value in a bucket whose first reading has none.
(SELECT r.{v} FROM readings AS r
WHERE r.stream_id = m.stream_id AND r.ts >= m.bucket AND r.ts < m.bucket + INTERVAL '1 minute'
    AND r.ts >= %(from)s AND r.ts < %(to)s AND r.{v} IS NOT NULL
ORDER BY r.ts LIMIT 1)

-- name: latest
-- A slot's last value in a bucket whose last reading has none.
(SELECT r.{v} FROM readings AS r
WHERE r.stream_id = m.stream_id AND r.ts >= m.bucket AND r.ts < m.bucket + INTERVAL '1 minute'
    AND r.ts >= %(from)s AND r.ts < %(to)s AND r.{v} IS NOT NULL
ORDER BY r.ts DESC LIMIT 1)
