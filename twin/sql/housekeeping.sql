-- Folding, retention and purging.

-- name: fold
-- Move the oldest entries into the totals and into the keys' first and last seen, by event time.
-- Entries of a datasource that is gone are dropped. Returns how many entries were folded.
WITH gone AS (
    DELETE FROM ingest_log
    WHERE entry_id IN (SELECT entry_id FROM ingest_log ORDER BY entry_id LIMIT %s)
    RETURNING datasource_no, readings, first_ts, last_ts, slots,
              newest_ts, newest_stream, second_ts, second_stream
),
places AS (
    SELECT
        datasource_no, place.ts, place.stream,
        row_number() OVER (PARTITION BY datasource_no ORDER BY place.ts DESC, place.stream DESC) AS rank
    FROM (
        SELECT datasource_no, newest_ts, newest_stream, second_ts, second_stream FROM gone
        UNION
        SELECT datasource_no, newest_ts, newest_stream, second_ts, second_stream
        FROM datasource_totals
        WHERE datasource_no IN (SELECT datasource_no FROM gone)
    ) AS said
    CROSS JOIN LATERAL (
        VALUES (newest_ts, newest_stream) UNION VALUES (second_ts, second_stream)
    ) AS place (ts, stream)
    WHERE place.stream IS NOT NULL
    GROUP BY datasource_no, place.ts, place.stream
),
newest AS (
    SELECT
        datasource_no,
        max(ts) FILTER (WHERE rank = 1) AS newest_ts, max(stream) FILTER (WHERE rank = 1) AS newest_stream,
        max(ts) FILTER (WHERE rank = 2) AS second_ts, max(stream) FILTER (WHERE rank = 2) AS second_stream
    FROM places
    GROUP BY datasource_no
),
counted AS (
    INSERT INTO datasource_totals AS t
        (datasource_no, readings, newest_ts, newest_stream, second_ts, second_stream, newest_known)
    SELECT
        datasource_no, sum(gone.readings), max(n.newest_ts), max(n.newest_stream), max(n.second_ts),
        max(n.second_stream), bool_and(gone.first_ts IS NULL OR gone.newest_ts IS NOT NULL)
    FROM gone
    JOIN datasources USING (datasource_no)
    LEFT JOIN newest AS n USING (datasource_no)
    GROUP BY datasource_no
    ON CONFLICT (datasource_no) DO UPDATE SET
        readings = t.readings + excluded.readings,
        newest_ts = excluded.newest_ts,
        newest_stream = excluded.newest_stream,
        second_ts = excluded.second_ts,
        second_stream = excluded.second_stream,
        newest_known = t.newest_known AND excluded.newest_known
),
seen AS (
    SELECT datasource_no, slot, min(first_ts) AS first_ts, max(last_ts) AS last_ts
    FROM gone
    CROSS JOIN LATERAL unnest(slots) AS slot
    GROUP BY datasource_no, slot
),
dated AS (
    UPDATE data_keys AS k
    SET
        first_seen = least(k.first_seen, seen.first_ts),
        last_seen = greatest(k.last_seen, seen.last_ts)
    FROM seen
    WHERE k.datasource_no = seen.datasource_no AND k.slot = seen.slot
        AND (
            k.first_seen IS NULL OR k.last_seen IS NULL
            OR seen.first_ts < k.first_seen OR seen.last_ts > k.last_seen
        )
)
SELECT count(*) FROM gone

-- name: deleted_datasources
SELECT datasource_no FROM datasources WHERE deleted_at < %s ORDER BY deleted_at LIMIT %s

-- name: pages
SELECT page, array_agg(stream_id ORDER BY stream_id)
FROM streams
WHERE datasource_no = %s
GROUP BY page

-- name: purge_datasource
-- Streams, keys, labels, rules and the rest go with the row; the log has no reference to it.
WITH logged AS (DELETE FROM ingest_log WHERE datasource_no = %(no)s)
DELETE FROM datasources WHERE datasource_no = %(no)s

-- name: retentions
-- Every datasource's retention; a deleted one is about to go and keeps nothing.
SELECT datasource_no, CASE WHEN deleted_at IS NULL THEN retention_days ELSE 1 END
FROM datasources

-- name: limit_lock_wait
SELECT set_config('lock_timeout', %s, true)

-- name: lock_span
-- Keeps writers, not readers, away from a partition or chunk while it is counted.
LOCK TABLE {relation} IN SHARE ROW EXCLUSIVE MODE

-- name: settle_span
-- Log the readings that go with a partition or chunk, mark its hours dirty and count the removal, in one pass.
-- Returns the datasources they belong to.
WITH going AS (
    SELECT stream_id, date_trunc('hour', ts, 'UTC') AS hour, count(*) AS rows
    FROM {relation}
    GROUP BY 1, 2
),
dirty AS (
    INSERT INTO rollup_dirty (stream_id, hour) SELECT stream_id, hour FROM going
),
noted AS (
    INSERT INTO removals AS r (datasource_no)
    SELECT DISTINCT s.datasource_no FROM going JOIN streams AS s USING (stream_id) ORDER BY 1
    ON CONFLICT (datasource_no) DO UPDATE SET number = r.number + 1
)
INSERT INTO ingest_log (datasource_no, readings)
SELECT s.datasource_no, -sum(going.rows)
FROM going
JOIN streams AS s USING (stream_id)
WHERE s.page = 0
GROUP BY s.datasource_no
RETURNING datasource_no

-- name: drop_partition
DROP TABLE {relation}

-- name: drop_chunk
SELECT drop_chunks('readings', older_than => %(to)s::timestamptz, newer_than => %(from)s::timestamptz)
