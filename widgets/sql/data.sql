-- name: closed_mark
-- The moment, in microseconds since 1970, before which the rollups hold every bucket that is not dirty.
SELECT readers_us FROM rollup_mark

-- name: shown_alert
-- The firing alert a widget shows: of its keys, of its device if it has one, highest severity, then oldest.
SELECT s.severity, r.name, r.spec ->> 'widget_color', r.spec ->> 'material_color',
       r.spec ->> 'icon', s.since
FROM alert_rules AS r
JOIN alert_states AS s USING (rule_no)
WHERE r.datasource_no = %(no)s AND r.is_active AND s.state = 'firing' AND r.key = ANY(%(keys)s)
  AND (%(device)s::text IS NULL OR s.device = %(device)s)
ORDER BY array_position(ARRAY['critical', 'warning', 'info'], s.severity),
         s.since, r.rule_no, s.device
LIMIT 1

-- name: firing_alerts
-- The firing alerts of a datasource in the same order, up to a bound.
SELECT r.key, s.device, s.severity, r.name, r.spec ->> 'widget_color', r.spec ->> 'material_color',
       r.spec ->> 'icon', s.since
FROM alert_rules AS r
JOIN alert_states AS s USING (rule_no)
WHERE r.datasource_no = %(no)s AND r.is_active AND s.datasource_no = %(no)s AND s.state = 'firing'
ORDER BY array_position(ARRAY['critical', 'warning', 'info'], s.severity),
         s.since, r.rule_no, s.device
LIMIT %(most)s

-- name: shown_alert_at
-- The same as of a moment: each rule and device is in the state of its last transition up to then.
SELECT e.severity, r.name, r.spec ->> 'widget_color', r.spec ->> 'material_color',
       r.spec ->> 'icon',
       (SELECT max(b.ts) FROM alert_events b
        WHERE b.rule_id = e.rule_id AND b.device = e.device AND b.ts <= e.ts
          AND b.to_state = 'firing' AND b.from_state <> 'firing') AS began
FROM (
    SELECT DISTINCT ON (rule_id, device) rule_id, device, to_state, severity, ts
    FROM alert_events
    WHERE datasource_no = %(no)s AND key = ANY(%(keys)s) AND ts <= %(at)s
      AND rule_id IN (SELECT id FROM alert_rules WHERE datasource_no = %(no)s)
      AND (%(device)s::text IS NULL OR device = %(device)s)
    ORDER BY rule_id, device, ts DESC, event_id DESC
) AS e
JOIN alert_rules AS r ON r.id = e.rule_id
WHERE e.to_state = 'firing'
ORDER BY array_position(ARRAY['critical', 'warning', 'info'], e.severity),
         began, r.rule_no, e.device
LIMIT 1

-- name: newest_places
-- Where the newest two readings of a datasource were when they were written, and so still are unless
-- deleted since; no rows where some batch did not say.
WITH said AS (
    SELECT newest_ts, newest_stream, second_ts, second_stream, newest_known AS known
    FROM datasource_totals
    WHERE datasource_no = %(no)s
    UNION ALL
    SELECT newest_ts, newest_stream, second_ts, second_stream, first_ts IS NULL OR newest_ts IS NOT NULL
    FROM ingest_log
    WHERE datasource_no = %(no)s
)
SELECT DISTINCT place.ts, place.stream
FROM said
CROSS JOIN LATERAL (
    VALUES (newest_ts, newest_stream), (second_ts, second_stream)
) AS place (ts, stream)
WHERE place.stream IS NOT NULL AND (SELECT bool_and(known) FROM said)
ORDER BY place.ts DESC, place.stream DESC
LIMIT 2
