-- name: insert_datasource
-- A datasource, unless the organisation has as many as it may.
INSERT INTO datasources (id, org_id, environment, name, description, timezone, retention_days,
                         readings_per_second, bytes_per_second)
SELECT %(id)s, %(org_id)s, %(environment)s, %(name)s, %(description)s, %(timezone)s, %(retention_days)s,
       %(readings_per_second)s, %(bytes_per_second)s
WHERE (SELECT count(*) FROM datasources
       WHERE org_id = %(org_id)s AND environment = %(environment)s AND deleted_at IS NULL) < %(most)s
RETURNING datasource_no

-- name: insert_data_keys
INSERT INTO data_keys (datasource_no, key, slot, kind, unit, label)
SELECT %(no)s, n.key, n.place - 1, n.kind, n.unit, n.label
FROM unnest(%(keys)s::text[], %(kinds)s::text[], %(units)s::text[], %(labels)s::text[])
     WITH ORDINALITY AS n (key, kind, unit, label, place)

-- name: list_datasources
SELECT id, name, description, timezone, retention_days, readings_per_second,
       bytes_per_second, created_at, updated_at
FROM datasources
WHERE org_id = %s AND environment = %s AND deleted_at IS NULL
ORDER BY datasource_no LIMIT %s OFFSET %s

-- name: count_datasources
SELECT count(*) FROM datasources WHERE org_id = %s AND environment = %s AND deleted_at IS NULL

-- name: get_datasource
SELECT datasource_no, id, name, description, timezone, retention_days, readings_per_second,
       bytes_per_second, created_at, updated_at
FROM datasources
WHERE org_id = %s AND environment = %s AND id = %s AND deleted_at IS NULL

-- name: readings_total
-- Folded total and what has been logged since, in one snapshot.
SELECT coalesce((SELECT readings FROM datasource_totals WHERE datasource_no = %(no)s), 0)
     + coalesce((SELECT sum(readings) FROM ingest_log WHERE datasource_no = %(no)s), 0)

-- name: data_keys_seen
-- Keys with first and last seen, folded ones and those logged since.
SELECT k.key, k.kind, k.unit, k.label,
       least(k.first_seen, l.first_ts), greatest(k.last_seen, l.last_ts)
FROM data_keys k
LEFT JOIN (
    SELECT slot, min(first_ts) AS first_ts, max(last_ts) AS last_ts
    FROM ingest_log, unnest(slots) AS slot
    WHERE datasource_no = %(no)s GROUP BY slot
) l USING (slot)
WHERE k.datasource_no = %(no)s ORDER BY k.slot

-- name: list_devices
-- Devices in the order of their first reading, each with its newest reading (one index descent).
SELECT s.device, s.created_at, newest.ts
FROM streams s
LEFT JOIN LATERAL (
    SELECT ts FROM readings r WHERE r.stream_id = s.stream_id ORDER BY ts DESC LIMIT 1
) newest ON true
WHERE s.datasource_no = %s AND s.page = 0
ORDER BY s.stream_id LIMIT %s OFFSET %s

-- name: count_devices
SELECT count(*) FROM streams WHERE datasource_no = %s AND page = 0

-- name: last_reading_at
SELECT max(newest.ts)
FROM streams s
CROSS JOIN LATERAL (
    SELECT ts FROM readings r WHERE r.stream_id = s.stream_id ORDER BY ts DESC LIMIT 1
) newest
WHERE s.datasource_no = %s AND s.page = 0

-- name: delete_datasource
-- Gone at once for everybody; readings and row follow in the background.
UPDATE datasources SET deleted_at = now()
WHERE org_id = %s AND environment = %s AND id = %s AND deleted_at IS NULL
RETURNING datasource_no

-- name: slot_holds_value
SELECT EXISTS (
    SELECT FROM streams s
    WHERE s.datasource_no = %(no)s AND s.page = %(page)s
      AND EXISTS (SELECT FROM readings r WHERE r.stream_id = s.stream_id AND {column} IS NOT NULL)
)
