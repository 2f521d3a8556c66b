-- name: insert_notices
-- A webhook that is being deleted is left out: its lock is waited for, then the row is gone. A notice
-- of a group that waits already goes when the group goes.
INSERT INTO notices (webhook_id, rule_id, device, datasource_no, kind, alert, group_key, due_at)
SELECT w.webhook_id, n.rule_id, n.device, n.datasource_no, 'transition', n.alert::json, g.group_key,
       CASE WHEN w.group_wait_s = 0 THEN now() ELSE coalesce(
           (SELECT min(m.due_at) FROM notices m
            WHERE m.webhook_id = w.webhook_id AND m.group_key = g.group_key AND m.delivery_no IS NULL),
           now() + make_interval(secs => w.group_wait_s)) END
FROM unnest(%(webhooks)s::uuid[], %(rules)s::uuid[], %(devices)s::text[], %(datasources)s::int[],
            %(alerts)s::text[])
     WITH ORDINALITY AS n (webhook_id, rule_id, device, datasource_no, alert, place)
JOIN webhooks w USING (webhook_id)
CROSS JOIN LATERAL (SELECT alert_group(w.group_by, n.rule_id, n.device, n.alert::json)) AS g (group_key)
ORDER BY n.place FOR KEY SHARE OF w

-- name: probe
-- Receivers whose circuit may be tried again, each by one worker: who moves the moment makes the call.
UPDATE webhooks w SET open_until = now() + make_interval(secs => %(lease_s)s)
WHERE w.open_until <= now()
  AND (EXISTS (SELECT FROM deliveries d WHERE d.webhook_id = w.webhook_id AND d.state = 'pending')
       OR EXISTS (SELECT FROM notices n WHERE n.webhook_id = w.webhook_id AND n.delivery_no IS NULL
                  AND n.due_at <= now()))
RETURNING w.webhook_id::text

-- name: take
-- Notices to tell now: of every webhook that has some waiting, the oldest of each alert, up to what its
-- free calls can carry. Steps through the webhooks by index, so a long queue of one costs the others
-- nothing, and looks at a bounded part of each queue. They stay locked until they have a delivery.
WITH RECURSIVE waiting AS (
    (SELECT webhook_id FROM notices WHERE delivery_no IS NULL ORDER BY webhook_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.webhook_id FROM notices n
            WHERE n.delivery_no IS NULL AND n.webhook_id > w.webhook_id
            ORDER BY n.webhook_id LIMIT 1)
    FROM waiting w WHERE w.webhook_id IS NOT NULL
), may AS (
    SELECT w.webhook_id, w.org_id, w.environment, w.group_by, w.type,
           CASE WHEN w.webhook_id::text = ANY(%(probing)s::text[]) THEN 1
                WHEN w.open_until IS NULL
                THEN greatest(%(per_webhook)s - coalesce((%(in_flight)s::jsonb ->> w.webhook_id::text)::int, 0), 0)
                ELSE 0 END AS slots
    FROM waiting JOIN webhooks w USING (webhook_id)
)
SELECT n.notice_no, n.webhook_id::text, n.rule_id::text, n.device, n.kind, n.alert::text, n.group_key,
       (extract(epoch FROM now() - n.created_at) * 1000000)::bigint,
       is_silenced(m.org_id, m.environment, n.rule_id, n.datasource_no, n.device, now()),
       (SELECT t.alert::text FROM alert_told t
        WHERE m.type = 'alertmanager' AND t.is_firing
          AND t.webhook_id = n.webhook_id AND t.rule_id = n.rule_id AND t.device = n.device), m.slots
FROM may m
CROSS JOIN LATERAL (
    SELECT q.notice_no
    FROM (SELECT d.notice_no, d.rule_id, d.device, d.due_at FROM notices d
          WHERE d.webhook_id = m.webhook_id AND d.delivery_no IS NULL AND d.due_at <= now()
          ORDER BY d.due_at, d.notice_no LIMIT %(looked_at)s) AS q
    WHERE NOT EXISTS (
        SELECT FROM notices e
        WHERE e.webhook_id = m.webhook_id AND e.rule_id = q.rule_id AND e.device = q.device
          AND e.notice_no < q.notice_no)
    ORDER BY q.due_at, q.notice_no
    LIMIT m.slots * CASE WHEN m.group_by IS NULL THEN 1 ELSE %(max_alerts)s END
) AS head
JOIN notices n ON n.notice_no = head.notice_no
WHERE m.slots > 0 AND n.delivery_no IS NULL
FOR UPDATE OF n SKIP LOCKED

-- name: take_expired
-- Notices that waited for a day because their receiver's circuit is open: nothing is told of them.
SELECT n.notice_no, n.webhook_id::text, n.rule_id::text, n.device, n.kind, n.alert::text, n.group_key,
       (extract(epoch FROM now() - n.created_at) * 1000000)::bigint, false, NULL, 1
FROM webhooks w
CROSS JOIN LATERAL (
    SELECT d.* FROM notices d
    WHERE d.webhook_id = w.webhook_id AND d.delivery_no IS NULL
      AND d.due_at < now() - %(day_us)s * interval '1 microsecond'
    ORDER BY d.due_at, d.notice_no LIMIT %(max_alerts)s
    FOR UPDATE SKIP LOCKED
) AS n
WHERE w.open_until IS NOT NULL

-- name: take_surplus
-- The oldest notices of webhooks for which more wait than may.
WITH RECURSIVE waiting AS (
    (SELECT webhook_id FROM notices WHERE delivery_no IS NULL ORDER BY webhook_id LIMIT 1)
    UNION ALL
    SELECT (SELECT n.webhook_id FROM notices n
            WHERE n.delivery_no IS NULL AND n.webhook_id > w.webhook_id
            ORDER BY n.webhook_id LIMIT 1)
    FROM waiting w WHERE w.webhook_id IS NOT NULL
)
SELECT n.notice_no, n.webhook_id::text, n.rule_id::text, n.device, n.kind, n.alert::text, n.group_key,
       (extract(epoch FROM now() - n.created_at) * 1000000)::bigint, false, NULL, 1
FROM waiting w
CROSS JOIN LATERAL (
    SELECT d.due_at, d.notice_no FROM notices d
    WHERE d.webhook_id = w.webhook_id AND d.delivery_no IS NULL
    ORDER BY d.due_at DESC, d.notice_no DESC OFFSET %(most_waiting)s LIMIT 1
) AS edge
CROSS JOIN LATERAL (
    SELECT d.* FROM notices d
    WHERE d.webhook_id = w.webhook_id AND d.delivery_no IS NULL
      AND (d.due_at, d.notice_no) <= (edge.due_at, edge.notice_no)
    ORDER BY d.due_at, d.notice_no LIMIT %(at_once)s
    FOR UPDATE SKIP LOCKED
) AS n

-- name: targets
SELECT webhook_id::text, name, type, url, sealed_secret, username, signature,
       timestamp_header, recipients, group_by, repeat_s
FROM webhooks WHERE webhook_id = ANY(%s::uuid[])

-- name: make_deliveries
-- The calls that carry the notices, claimed from the start, or ended where `state` says so. Returned in
-- the order given.
WITH given AS (
    SELECT * FROM unnest(%(webhooks)s::uuid[], %(kinds)s::text[], %(counts)s::int[], %(bodies)s::text[],
                         %(ages_us)s::bigint[])
                  WITH ORDINALITY AS g (webhook_id, kind, alerts, body, age_us, place)
), made AS (
    INSERT INTO deliveries (webhook_id, kind, alerts, body, state, attempts, last_error, claimed_until,
                            created_at, finished_at)
    SELECT webhook_id, kind, alerts, body::json, %(state)s, CASE %(state)s WHEN 'pending' THEN 1 ELSE 0 END,
           %(error)s, CASE %(state)s WHEN 'pending' THEN now() + make_interval(secs => %(lease_s)s) END,
           now() - age_us * interval '1 microsecond', CASE %(state)s WHEN 'pending' THEN NULL ELSE now() END
    FROM given ORDER BY place
    RETURNING delivery_no, delivery_id::text
)
SELECT delivery_no, delivery_id FROM made ORDER BY delivery_no

-- name: carry
-- Says which delivery carries each notice; what is not told any more goes.
WITH carried AS (
    UPDATE notices n SET delivery_no = c.delivery_no
    FROM unnest(%(notices)s::bigint[], %(deliveries)s::bigint[]) AS c (notice_no, delivery_no)
    WHERE n.notice_no = c.notice_no
    RETURNING n.webhook_id, n.rule_id, n.device, n.datasource_no, n.alert
), remembered AS (
    INSERT INTO alert_told (webhook_id, rule_id, device, datasource_no, is_firing, alert, told_at, repeat_at)
    SELECT c.webhook_id, c.rule_id, c.device, c.datasource_no, true, c.alert, now(),
           now() + make_interval(secs => w.repeat_s)
    FROM carried c JOIN webhooks w USING (webhook_id)
    WHERE c.alert ->> 'status' = 'firing'
    ORDER BY 1, 2, 3
    ON CONFLICT (webhook_id, rule_id, device) DO UPDATE
    SET is_firing = true, alert = excluded.alert, held = NULL, told_at = now(), repeat_at = excluded.repeat_at
)
DELETE FROM alert_told t USING carried c
WHERE c.alert ->> 'status' = 'resolved'
  AND t.webhook_id = c.webhook_id AND t.rule_id = c.rule_id AND t.device = c.device

-- name: hold
-- Silenced notices leave the queue; the newest of each alert is kept until the silence ends.
WITH gone AS (
    DELETE FROM notices WHERE notice_no = ANY(%s::bigint[])
    RETURNING webhook_id, rule_id, device, datasource_no, alert
)
INSERT INTO alert_told (webhook_id, rule_id, device, datasource_no, is_firing, held)
SELECT webhook_id, rule_id, device, datasource_no, false, alert FROM gone ORDER BY 1, 2, 3
ON CONFLICT (webhook_id, rule_id, device) DO UPDATE SET held = excluded.held

-- name: reminders_due
-- Datasources of alerts that may have to be told again, or for the first time after a silence.
SELECT DISTINCT datasource_no FROM (
    (SELECT datasource_no FROM alert_told WHERE repeat_at <= now() ORDER BY repeat_at LIMIT %(most)s)
    UNION ALL
    (SELECT t.datasource_no FROM alert_told t JOIN webhooks w USING (webhook_id)
     WHERE t.held IS NOT NULL
       AND NOT is_silenced(w.org_id, w.environment, t.rule_id, t.datasource_no, t.device, now())
     LIMIT %(most)s)
) AS due ORDER BY datasource_no

-- name: repeat
-- Under the datasources' locks, so that no transition is on its way. An alert is told again while it
-- fires for this receiver, nobody has acknowledged it, no silence covers it and nothing else of it
-- waits. An Alertmanager is told in any case: it would take the alert for resolved.
WITH due AS (
    SELECT t.webhook_id, t.rule_id, t.device, t.datasource_no, t.alert, w.group_by, w.repeat_s,
           is_told AND NOT (w.type <> 'alertmanager' AND (is_held OR coalesce(is_known, false))) AS goes,
           is_told, is_held AND w.type <> 'alertmanager' AS is_held
    FROM alert_told t
    JOIN webhooks w USING (webhook_id)
    CROSS JOIN LATERAL (SELECT
        EXISTS (SELECT FROM alert_rules r JOIN alert_states s USING (rule_no)
                WHERE r.id = t.rule_id AND s.device = t.device AND s.state = 'firing'
                  AND r.spec -> 'webhooks' ? t.webhook_id::text),
        is_silenced(w.org_id, w.environment, t.rule_id, t.datasource_no, t.device, now()),
        (SELECT e.acknowledged_at IS NOT NULL FROM alert_events e
         WHERE e.rule_id = t.rule_id AND e.device = t.device ORDER BY e.event_id DESC LIMIT 1)
    ) AS now_is (is_told, is_held, is_known)
    WHERE t.repeat_at <= now() AND t.is_firing AND t.datasource_no = ANY(%(nos)s::int[])
    ORDER BY t.repeat_at LIMIT %(most)s
), moved AS (
    UPDATE alert_told t
    SET repeat_at = CASE WHEN NOT d.is_told THEN NULL
                         WHEN d.is_held THEN now() + make_interval(secs => least(d.repeat_s, 10))
                         ELSE now() + make_interval(secs => d.repeat_s) END
    FROM due d
    WHERE t.webhook_id = d.webhook_id AND t.rule_id = d.rule_id AND t.device = d.device
)
INSERT INTO notices (webhook_id, rule_id, device, datasource_no, kind, alert, group_key, due_at)
SELECT d.webhook_id, d.rule_id, d.device, d.datasource_no, 'repeat', d.alert,
       alert_group(d.group_by, d.rule_id, d.device, d.alert), now()
FROM due d
WHERE d.goes AND NOT EXISTS (
    SELECT FROM notices n WHERE n.webhook_id = d.webhook_id AND n.rule_id = d.rule_id AND n.device = d.device)

-- name: release
-- What a silence that ended held back is told if the receiver does not know it: that an alert fires, or
-- that one which it was told of is over. Under the datasources' locks.
WITH ended AS (
    SELECT t.webhook_id, t.rule_id, t.device, t.datasource_no, t.held, t.is_firing, w.group_by,
           t.held ->> 'status' = 'firing' AS fires
    FROM alert_told t JOIN webhooks w USING (webhook_id)
    WHERE t.held IS NOT NULL AND t.datasource_no = ANY(%(nos)s::int[])
      AND NOT is_silenced(w.org_id, w.environment, t.rule_id, t.datasource_no, t.device, now())
    ORDER BY 1, 2, 3 LIMIT %(most)s
), cleared AS (
    UPDATE alert_told t SET held = NULL FROM ended e
    WHERE t.webhook_id = e.webhook_id AND t.rule_id = e.rule_id AND t.device = e.device
)
INSERT INTO notices (webhook_id, rule_id, device, datasource_no, kind, alert, group_key, due_at)
SELECT e.webhook_id, e.rule_id, e.device, e.datasource_no, 'unsilenced', e.held,
       alert_group(e.group_by, e.rule_id, e.device, e.held), now()
FROM ended e
WHERE (e.fires OR e.is_firing) AND NOT EXISTS (
    SELECT FROM notices n WHERE n.webhook_id = e.webhook_id AND n.rule_id = e.rule_id AND n.device = e.device)

-- name: forget_told
-- What nobody can be told any more: the alert is over, or its receiver was taken from the rule.
DELETE FROM alert_told t
WHERE t.held IS NULL
  AND NOT EXISTS (SELECT FROM alert_rules r JOIN alert_states s USING (rule_no)
                  WHERE r.id = t.rule_id AND s.device = t.device AND s.state = 'firing'
                    AND r.spec -> 'webhooks' ? t.webhook_id::text)
  AND NOT EXISTS (SELECT FROM notices n
                  WHERE n.webhook_id = t.webhook_id AND n.rule_id = t.rule_id AND n.device = t.device)

-- name: drop_carried
DELETE FROM notices WHERE delivery_no = ANY(%s::bigint[])
