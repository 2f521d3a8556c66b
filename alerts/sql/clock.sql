-- name: clocked
-- Datasources with rules that the clock judges.
SELECT r.datasource_no, coalesce(max(v.version), 0)
FROM alert_rules r JOIN datasources d USING (datasource_no) LEFT JOIN alert_versions v USING (datasource_no)
WHERE r.is_clocked AND r.is_active AND d.deleted_at IS NULL
GROUP BY r.datasource_no ORDER BY r.datasource_no

-- name: newest
-- Of each stream, by its place, the newest reading with a value, of those that are not too far ahead.
SELECT c.place - 1, (extract(epoch FROM newest.ts) * 1000000)::bigint
FROM unnest(%(streams)s::int[], %(until)s::timestamptz[]) WITH ORDINALITY AS c (stream_id, until, place)
CROSS JOIN LATERAL (
    SELECT r.ts FROM readings r
    WHERE r.stream_id = c.stream_id AND r.ts <= c.until AND r.ts > %(lowest)s AND r.{column} IS NOT NULL
    ORDER BY r.ts DESC LIMIT 1
) AS newest

-- name: enrol
-- The devices of a datasource that sent a key lately, as normal states of a rule.
INSERT INTO alert_states (rule_no, datasource_no, device, state, since, last_ts)
SELECT %(rule_no)s, s.datasource_no, s.device, 'normal', newest.ts, newest.ts
FROM streams s
CROSS JOIN LATERAL (
    SELECT r.ts FROM readings r
    WHERE r.stream_id = s.stream_id AND r.ts > %(from)s AND r.ts <= %(until)s AND r.{column} IS NOT NULL
    ORDER BY r.ts DESC LIMIT 1
) AS newest
WHERE s.datasource_no = %(no)s AND s.page = %(page)s
ON CONFLICT (rule_no, device) DO NOTHING

-- name: stored
-- The readings of some streams in a range, in order, for a dry run.
SELECT stream_id, (extract(epoch FROM ts) * 1000000)::bigint,
       v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15
FROM readings
WHERE stream_id = ANY(%(streams)s::int[]) AND ts >= %(from)s AND ts < %(to)s
ORDER BY stream_id, ts LIMIT %(most)s
