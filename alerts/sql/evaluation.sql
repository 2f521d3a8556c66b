-- name: lock_datasources
-- One evaluation of a datasource at a time, on all workers and hosts, until the transaction ends.
-- The numbers come in ascending order, so two transactions never wait for each other.
SELECT pg_advisory_xact_lock(%(lock_class)s::int, no) FROM unnest(%(nos)s::int[]) AS no

-- name: versions
-- A statement of its own after the lock: its snapshot then sees what the lock's last holder committed.
SELECT no, coalesce(v.version, 0), v.owner, coalesce(m.number, 0)
FROM unnest(%(nos)s::int[]) AS no
LEFT JOIN alert_versions v ON v.datasource_no = no
LEFT JOIN removals m ON m.datasource_no = no

-- name: rules
SELECT r.rule_no, r.id, r.org_id, r.environment, r.datasource_no, d.id,
       r.name, r.key, r.device, r.spec, r.is_active, r.revision,
       (extract(epoch FROM r.asked_at) * 1000000)::bigint
FROM alert_rules r JOIN datasources d USING (datasource_no)
WHERE r.datasource_no = ANY(%(nos)s::int[]) AND r.is_active AND r.error IS NULL AND d.deleted_at IS NULL
ORDER BY r.rule_no

-- name: states
-- What was written since a version, and all of some rules. A device is named by its stream of page 0. As
-- arrays: a tuple for each of a million states would take ten times as long.
SELECT s.rule_no, array_send(array_agg(p.stream_id)),
       array_send(array_agg((CASE WHEN s.error IS NOT NULL THEN 3 WHEN s.state = 'firing' THEN 2
                                  WHEN s.state = 'pending' THEN 1 ELSE 0 END)::int2)),
       array_send(array_agg((CASE s.severity WHEN 'info' THEN 1 WHEN 'warning' THEN 2
                                             WHEN 'critical' THEN 3 ELSE 0 END)::int2)),
       array_send(array_agg(s.since)), array_send(array_agg(s.last_ts)),
       array_send(array_agg(coalesce(s.value, 'NaN')))
FROM (SELECT * FROM alert_states WHERE datasource_no = %(no)s AND version > %(since)s
      UNION ALL
      SELECT * FROM alert_states WHERE rule_no = ANY(%(anew)s::int[]) AND version <= %(since)s) AS s
JOIN streams p ON p.datasource_no = %(no)s AND p.device = s.device AND p.page = 0
GROUP BY s.rule_no, p.stream_id >> 16

-- name: states_of_pairs
-- The same of some rules for some devices.
SELECT s.rule_no, array_send(array_agg(p.stream_id)),
       array_send(array_agg((CASE WHEN s.error IS NOT NULL THEN 3 WHEN s.state = 'firing' THEN 2
                                  WHEN s.state = 'pending' THEN 1 ELSE 0 END)::int2)),
       array_send(array_agg((CASE s.severity WHEN 'info' THEN 1 WHEN 'warning' THEN 2
                                             WHEN 'critical' THEN 3 ELSE 0 END)::int2)),
       array_send(array_agg(s.since)), array_send(array_agg(s.last_ts)),
       array_send(array_agg(coalesce(s.value, 'NaN')))
FROM unnest(%(rules)s::int[], %(devices)s::text[]) AS w (rule_no, device)
JOIN alert_states s ON s.rule_no = w.rule_no AND s.device = w.device
JOIN streams p ON p.datasource_no = %(no)s AND p.device = s.device AND p.page = 0
GROUP BY s.rule_no, p.stream_id >> 16

-- name: devices_of
SELECT DISTINCT device FROM streams WHERE datasource_no = %(no)s AND stream_id = ANY(%(streams)s::int[])

-- name: count_newer
SELECT count(*) FROM (SELECT FROM alert_states WHERE datasource_no = %(no)s AND version > %(since)s
                      LIMIT %(most)s) AS newer

-- name: states_of
-- States of rules for devices, whether they have a stream or not.
SELECT s.rule_no, s.device, s.state, (extract(epoch FROM s.since) * 1000000)::bigint
FROM alert_states s
JOIN unnest(%(rules)s::int[], %(devices)s::text[]) AS w (rule_no, device) USING (rule_no, device)

-- name: stored_beyond
-- Of each stream the newest reading with a value in the column, if it is newer than all of the batch.
-- `lowest` lets partitions be left out when the query is planned.
SELECT c.stream_id, (extract(epoch FROM newest.ts) * 1000000)::bigint, newest.value
FROM unnest(%(streams)s::int[], %(until)s::timestamptz[]) AS c (stream_id, until)
CROSS JOIN LATERAL (
    SELECT r.ts, r.{column} AS value FROM readings r
    WHERE r.stream_id = c.stream_id AND r.ts > c.until AND r.ts > %(lowest)s AND r.{column} IS NOT NULL
    ORDER BY r.ts DESC LIMIT 1
) AS newest

-- name: stored_between
-- Of each stream the newest reading with a value in the column that lies between two of the batch
-- and is none of them. OFFSET 0 keeps it one index scan per stream; EXCEPT works by hashing.
SELECT stream_id, (extract(epoch FROM max(ts)) * 1000000)::bigint
FROM (
    SELECT c.stream_id, inner_one.ts
    FROM unnest(%(streams)s::int[], %(after)s::timestamptz[], %(until)s::timestamptz[])
         AS c (stream_id, after, until)
    CROSS JOIN LATERAL (
        SELECT r.ts FROM readings r
        WHERE r.stream_id = c.stream_id AND r.ts > c.after AND r.ts < c.until
          AND r.ts > %(lowest)s AND r.ts < %(highest)s AND r.{column} IS NOT NULL
        OFFSET 0
    ) AS inner_one
    EXCEPT
    SELECT * FROM unnest(%(batch_streams)s::int[], %(batch_ts)s::timestamptz[])
) AS others
GROUP BY stream_id

-- name: stored_before
-- Of each stream the newest value before a time, and not long before it.
SELECT c.stream_id, (extract(epoch FROM newest.ts) * 1000000)::bigint, newest.value
FROM unnest(%(streams)s::int[], %(before)s::timestamptz[]) AS c (stream_id, before)
CROSS JOIN LATERAL (
    SELECT r.ts, r.{column} AS value FROM readings r
    WHERE r.stream_id = c.stream_id AND r.ts < c.before
      AND r.ts >= c.before - %(reach_us)s * interval '1 microsecond'
      AND r.ts >= %(lowest)s AND r.ts < %(highest)s AND r.{column} IS NOT NULL
    ORDER BY r.ts DESC LIMIT 1
) AS newest

-- name: values_at
SELECT r.stream_id, r.{column}
FROM unnest(%(streams)s::int[], %(ts)s::timestamptz[]) AS c (stream_id, ts)
JOIN readings r USING (stream_id, ts)

-- name: save_states
INSERT INTO alert_states (datasource_no, version, rule_no, device, state, severity, error, since,
                          last_ts, value)
SELECT * FROM unnest(%(datasources)s::int[], %(versions)s::bigint[], %(rules)s::int[],
                     %(devices)s::text[], %(states)s::text[], %(severities)s::text[],
                     %(errors)s::text[], %(since)s::timestamptz[], %(last)s::timestamptz[],
                     %(values)s::float8[])
ON CONFLICT (rule_no, device) DO UPDATE
SET version = excluded.version, state = excluded.state, severity = excluded.severity,
    error = excluded.error, since = excluded.since, last_ts = excluded.last_ts,
    value = excluded.value

-- name: disable_rules
-- Returns the rules that were not disabled yet.
UPDATE alert_rules r SET error = f.error
FROM unnest(%(rules)s::int[], %(errors)s::text[]) AS f (rule_no, error)
WHERE r.rule_no = f.rule_no AND r.error IS NULL
RETURNING r.rule_no

-- name: take_over
INSERT INTO alert_versions (datasource_no, owner) VALUES (%(no)s, %(owner)s)
ON CONFLICT (datasource_no) DO UPDATE SET owner = excluded.owner

-- name: insert_events
INSERT INTO alert_events (org_id, environment, rule_id, rule_name, datasource_no, device, key,
                          from_state, to_state, severity, from_severity, ts, value, reason, silenced)
SELECT org_id, environment, rule_id, rule_name, datasource_no, device, key,
       from_state, to_state, severity, from_severity, ts, value, reason,
       is_silenced(org_id, environment, rule_id, datasource_no, device, now())
FROM unnest(%(orgs)s::int[], %(environments)s::text[], %(rule_ids)s::uuid[], %(names)s::text[],
            %(datasources)s::int[], %(devices)s::text[], %(keys)s::text[], %(before)s::text[],
            %(after)s::text[], %(severities)s::text[], %(before_severities)s::text[],
            %(ts)s::timestamptz[], %(values)s::float8[], %(reasons)s::text[])
     WITH ORDINALITY AS e (org_id, environment, rule_id, rule_name, datasource_no, device, key,
                           from_state, to_state, severity, from_severity, ts, value,
                           reason, place)
ORDER BY place

-- name: bump_versions
-- In ascending order, under the datasources' locks. A change of states moves the lower half of the
-- number, one of rules the upper half: so a worker knows what to reload.
INSERT INTO alert_versions (datasource_no, version)
SELECT no, %(step)s::bigint FROM unnest(%(nos)s::int[]) AS no
ON CONFLICT (datasource_no) DO UPDATE SET version = alert_versions.version + excluded.version
RETURNING datasource_no, version
