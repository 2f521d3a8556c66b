-- name: list_events
-- A state lasts until the next event of the same rule and device. `before` continues an export.
SELECT e.event_id, e.rule_id, e.rule_name, e.datasource_no, d.id, e.device, e.key, e.from_state,
       e.to_state, e.severity, e.from_severity, e.ts, e.value, e.reason,
       extract(epoch FROM (SELECT n.ts FROM alert_events n
                           WHERE n.rule_id = e.rule_id AND n.device = e.device AND n.event_id > e.event_id
                           ORDER BY n.event_id LIMIT 1) - e.ts)::float8,
       e.acknowledged_at, e.acknowledged_by, e.silenced, e.created_at
FROM alert_events e JOIN datasources d USING (datasource_no)
WHERE e.org_id = %(org_id)s AND e.environment = %(environment)s
  AND (%(before)s::bigint IS NULL OR e.event_id < %(before)s)
  AND (%(alert_id)s::uuid IS NULL OR e.rule_id = %(alert_id)s)
  AND (%(datasource_id)s::uuid IS NULL OR d.id = %(datasource_id)s)
  AND (%(device)s::text IS NULL OR e.device = %(device)s)
  AND (%(severity)s::text IS NULL OR e.severity = %(severity)s)
  AND (%(state)s::text IS NULL OR e.to_state = %(state)s)
  AND (%(from)s::timestamptz IS NULL OR e.ts >= %(from)s)
  AND (%(to)s::timestamptz IS NULL OR e.ts < %(to)s)
ORDER BY e.event_id DESC LIMIT %(limit)s OFFSET %(offset)s

-- name: count_events
SELECT count(*)
FROM alert_events e JOIN datasources d USING (datasource_no)
WHERE e.org_id = %(org_id)s AND e.environment = %(environment)s
  AND (%(alert_id)s::uuid IS NULL OR e.rule_id = %(alert_id)s)
  AND (%(datasource_id)s::uuid IS NULL OR d.id = %(datasource_id)s)
  AND (%(device)s::text IS NULL OR e.device = %(device)s)
  AND (%(severity)s::text IS NULL OR e.severity = %(severity)s)
  AND (%(state)s::text IS NULL OR e.to_state = %(state)s)
  AND (%(from)s::timestamptz IS NULL OR e.ts >= %(from)s)
  AND (%(to)s::timestamptz IS NULL OR e.ts < %(to)s)
