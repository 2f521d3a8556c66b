-- name: lock_datasource
-- The evaluator's lock: rules and states do not change while a batch is judged, nor the other way.
SELECT pg_advisory_xact_lock(%(lock_class)s::int, %(no)s::int)

-- name: insert_rule
-- A rule, unless the organisation has as many as it may.
INSERT INTO alert_rules (id, org_id, environment, datasource_no, name, key, device, spec)
SELECT %(id)s, %(org_id)s, %(environment)s, %(no)s, %(name)s, %(key)s, %(device)s, %(spec)s::jsonb
WHERE (SELECT count(*) FROM alert_rules
       WHERE org_id = %(org_id)s AND environment = %(environment)s) < %(most)s
RETURNING rule_no

-- name: update_rule
UPDATE alert_rules
SET name = %(name)s, key = %(key)s, device = %(device)s, spec = %(spec)s::jsonb,
    is_active = %(is_active)s, updated_at = now(), revision = revision + %(anew)s::boolean::int,
    asked_at = CASE WHEN %(anew)s THEN now() ELSE asked_at END,
    error = CASE WHEN %(anew)s THEN NULL ELSE error END
WHERE rule_no = %(rule_no)s

-- name: rename_severity
-- Firing alerts of a rule whose severities were renamed.
UPDATE alert_states SET severity = %(new)s
WHERE rule_no = %(rule_no)s AND severity = %(old)s

-- name: delete_rule
DELETE FROM alert_rules WHERE rule_no = %s

-- name: known_webhooks
SELECT webhook_id FROM webhooks
WHERE org_id = %s AND environment = %s AND webhook_id = ANY(%s::uuid[])

-- name: get_rule
SELECT r.rule_no, r.id, r.org_id, r.environment, r.datasource_no, d.id,
       r.name, r.key, r.device, r.spec, r.is_active, r.revision,
       (extract(epoch FROM r.asked_at) * 1000000)::bigint,
       r.created_at, r.updated_at, r.error
FROM alert_rules r JOIN datasources d USING (datasource_no)
WHERE r.org_id = %(org_id)s AND r.environment = %(environment)s AND r.id = %(id)s
  AND d.deleted_at IS NULL

-- name: list_rules
SELECT r.rule_no, r.id, r.org_id, r.environment, r.datasource_no, d.id,
       r.name, r.key, r.device, r.spec, r.is_active, r.revision,
       (extract(epoch FROM r.asked_at) * 1000000)::bigint,
       r.created_at, r.updated_at, r.error
FROM alert_rules r JOIN datasources d USING (datasource_no)
WHERE r.org_id = %(org_id)s AND r.environment = %(environment)s AND d.deleted_at IS NULL
  AND (%(datasource_id)s::uuid IS NULL OR d.id = %(datasource_id)s)
ORDER BY r.rule_no LIMIT %(limit)s OFFSET %(offset)s

-- name: count_rules
SELECT count(*)
FROM alert_rules r JOIN datasources d USING (datasource_no)
WHERE r.org_id = %(org_id)s AND r.environment = %(environment)s AND d.deleted_at IS NULL
  AND (%(datasource_id)s::uuid IS NULL OR d.id = %(datasource_id)s)

-- name: shown_states
-- The devices of each rule that are not normal or disabled: firing ones first, then the oldest, so many
-- at most; with who acknowledged what fires, and until when they are silenced.
SELECT s.rule_no, s.device, s.state, s.since, s.value, s.severity, s.error,
       CASE WHEN s.state = 'firing' THEN e.acknowledged_at END,
       CASE WHEN s.state = 'firing' THEN e.acknowledged_by END,
       (SELECT max(q.ends_at) FROM alert_silences q
        WHERE q.org_id = r.org_id AND q.environment = r.environment AND q.starts_at <= now() AND q.ends_at > now()
          AND (q.rule_id IS NULL OR q.rule_id = r.id)
          AND (q.datasource_no IS NULL OR q.datasource_no = r.datasource_no)
          AND (q.device IS NULL OR q.device = s.device))
FROM (SELECT s.*, row_number() OVER (PARTITION BY rule_no ORDER BY state = 'firing' DESC, since, device) AS place
      FROM alert_states s WHERE rule_no = ANY(%(rules)s::int[])
        AND (state <> 'normal' OR error IS NOT NULL)) AS s
JOIN alert_rules r USING (rule_no)
LEFT JOIN LATERAL (
    SELECT acknowledged_at, acknowledged_by FROM alert_events n
    WHERE n.rule_id = r.id AND n.device = s.device ORDER BY n.event_id DESC LIMIT 1
) AS e ON true
WHERE s.place <= %(most)s ORDER BY s.rule_no, s.place

-- name: open_states
-- What closing some rules has to end.
SELECT rule_no, device, state, (extract(epoch FROM since) * 1000000)::bigint,
       (extract(epoch FROM last_ts) * 1000000)::bigint, value, severity
FROM alert_states WHERE rule_no = ANY(%s::int[]) AND state <> 'normal' ORDER BY rule_no, device

-- name: forget_states
DELETE FROM alert_states WHERE rule_no = ANY(%s::int[])

-- name: rules_of_datasource
SELECT r.rule_no, r.id, r.org_id, r.environment, r.datasource_no, d.id,
       r.name, r.key, r.device, r.spec, r.is_active, r.revision,
       (extract(epoch FROM r.asked_at) * 1000000)::bigint
FROM alert_rules r JOIN datasources d USING (datasource_no)
WHERE r.datasource_no = %s ORDER BY r.rule_no

-- name: deleted_datasources
-- Deleted datasources with alerts that nobody ended yet.
SELECT d.datasource_no FROM datasources d
WHERE d.deleted_at IS NOT NULL
  AND EXISTS (SELECT FROM alert_rules r JOIN alert_states s USING (rule_no)
              WHERE r.datasource_no = d.datasource_no AND s.state <> 'normal')
ORDER BY d.datasource_no LIMIT 100

-- name: thinned
-- Datasources with rules of which readings were deleted since somebody looked.
SELECT m.datasource_no, m.number
FROM removals m JOIN datasources d USING (datasource_no) LEFT JOIN alert_versions v USING (datasource_no)
WHERE m.number > coalesce(v.swept, 0) AND d.deleted_at IS NULL
  AND EXISTS (SELECT FROM alert_rules r WHERE r.datasource_no = m.datasource_no)
ORDER BY m.datasource_no LIMIT 100

-- name: vanished
-- States of devices of which nothing is stored any more. A device that a no_data rule names is waited for
-- all the same; others are watched while there is something of theirs.
SELECT s.rule_no, s.device, s.state, (extract(epoch FROM s.since) * 1000000)::bigint,
       (extract(epoch FROM s.last_ts) * 1000000)::bigint, s.value, s.severity
FROM alert_states s
JOIN alert_rules r USING (rule_no)
JOIN streams p ON p.datasource_no = s.datasource_no AND p.device = s.device AND p.page = 0
LEFT JOIN LATERAL (
    SELECT true AS is_there FROM readings WHERE stream_id = p.stream_id ORDER BY ts DESC LIMIT 1
) AS newest ON true
WHERE s.datasource_no = %(no)s AND newest.is_there IS NULL
  AND CASE WHEN r.spec ->> 'condition' = 'no_data' THEN r.device IS NULL ELSE s.state <> 'normal' END
ORDER BY s.rule_no, s.device LIMIT %(most)s

-- name: forget_some
DELETE FROM alert_states s USING unnest(%(rules)s::int[], %(devices)s::text[]) AS w (rule_no, device)
WHERE s.rule_no = w.rule_no AND s.device = w.device

-- name: revise
-- States of rules were forgotten: workers drop those they hold.
UPDATE alert_rules SET revision = revision + 1 WHERE rule_no = ANY(%s::int[])

-- name: swept
INSERT INTO alert_versions (datasource_no, swept) VALUES (%(no)s, %(number)s)
ON CONFLICT (datasource_no) DO UPDATE SET swept = excluded.swept

-- name: failed
-- Datasources with alerts of rules that were disabled.
SELECT DISTINCT r.datasource_no FROM alert_rules r JOIN alert_states s USING (rule_no)
WHERE r.error IS NOT NULL AND s.state <> 'normal' ORDER BY 1 LIMIT 100

-- name: failed_rules
SELECT rule_no FROM alert_rules WHERE datasource_no = %s AND error IS NOT NULL
