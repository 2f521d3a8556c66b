-- name: insert_silence
-- A silence, unless the organisation has as many that have not ended as it may.
INSERT INTO alert_silences (silence_id, org_id, environment, rule_id, datasource_no, device, starts_at,
                            ends_at, comment, created_by)
SELECT %(id)s, %(org_id)s, %(environment)s, %(alert_id)s, %(datasource_no)s, %(device)s,
       coalesce(%(starts_at)s::timestamptz, now()), %(until)s, %(comment)s, %(created_by)s
WHERE (SELECT count(*) FROM alert_silences
       WHERE org_id = %(org_id)s AND environment = %(environment)s AND ends_at > now()) < %(most)s

-- name: list_silences
SELECT s.silence_id, s.rule_id, d.id, s.device, s.starts_at, s.ends_at, s.comment, s.created_by, s.created_at,
       CASE WHEN s.ends_at <= now() THEN 'expired' WHEN s.starts_at > now() THEN 'pending' ELSE 'active' END
FROM alert_silences s LEFT JOIN datasources d USING (datasource_no)
WHERE s.org_id = %(org_id)s AND s.environment = %(environment)s
  AND (%(id)s::uuid IS NULL OR s.silence_id = %(id)s)
  AND (%(alert_id)s::uuid IS NULL OR s.rule_id = %(alert_id)s)
  AND (%(state)s::text IS NULL OR %(state)s =
       CASE WHEN s.ends_at <= now() THEN 'expired' WHEN s.starts_at > now() THEN 'pending' ELSE 'active' END)
ORDER BY s.ends_at DESC, s.silence_id LIMIT %(limit)s OFFSET %(offset)s

-- name: count_silences
SELECT count(*) FROM alert_silences s
WHERE s.org_id = %(org_id)s AND s.environment = %(environment)s
  AND (%(alert_id)s::uuid IS NULL OR s.rule_id = %(alert_id)s)
  AND (%(state)s::text IS NULL OR %(state)s =
       CASE WHEN s.ends_at <= now() THEN 'expired' WHEN s.starts_at > now() THEN 'pending' ELSE 'active' END)

-- name: end_silence
-- One that has not begun ends before it does.
UPDATE alert_silences SET ends_at = least(ends_at, now()), starts_at = least(starts_at, now())
WHERE org_id = %(org_id)s AND environment = %(environment)s AND silence_id = %(id)s

-- name: find_rule
SELECT r.rule_no FROM alert_rules r
WHERE r.org_id = %(org_id)s AND r.environment = %(environment)s AND r.id = %(alert_id)s

-- name: acknowledge
-- The newest event of each device that fires now, if nobody has yet.
UPDATE alert_events e
SET acknowledged_at = coalesce(e.acknowledged_at, now()), acknowledged_by = coalesce(e.acknowledged_by, %(by)s)
FROM alert_rules r JOIN alert_states s USING (rule_no)
WHERE r.rule_no = %(rule_no)s AND s.state = 'firing' AND (%(device)s::text IS NULL OR s.device = %(device)s)
  AND e.event_id = (SELECT max(n.event_id) FROM alert_events n WHERE n.rule_id = r.id AND n.device = s.device)
RETURNING e.device

-- name: prune_silences
DELETE FROM alert_silences WHERE ends_at < now() - make_interval(days => %s)
