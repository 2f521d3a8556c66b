-- name: claim
-- Deliveries to make now: of every webhook that has some waiting, the oldest ones of alerts of which
-- nothing older is pending, up to what the webhook may have at once. A claim is a lease: who dies
-- with one loses it. Steps through the webhooks by index, so a long queue of one costs the others
-- nothing, and looks at a bounded part of each queue.
WITH RECURSIVE waiting AS (
    (SELECT webhook_id FROM deliveries WHERE state = 'pending' ORDER BY webhook_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.webhook_id FROM deliveries d
            WHERE d.state = 'pending' AND d.webhook_id > w.webhook_id
            ORDER BY d.webhook_id LIMIT 1)
    FROM waiting w WHERE w.webhook_id IS NOT NULL
), picked AS (
    SELECT head.delivery_no
    FROM waiting w
    CROSS JOIN LATERAL (
        SELECT q.delivery_no
        FROM (SELECT d.delivery_no, d.alert_key, d.next_attempt_at, d.claimed_until
              FROM deliveries d WHERE d.webhook_id = w.webhook_id AND d.state = 'pending'
              ORDER BY d.delivery_no LIMIT %(looked_at)s) AS q
        WHERE q.next_attempt_at <= now() AND (q.claimed_until IS NULL OR q.claimed_until < now())
          AND NOT EXISTS (
              SELECT FROM deliveries e
              WHERE e.webhook_id = w.webhook_id AND e.alert_key = q.alert_key
                AND e.state = 'pending' AND e.delivery_no < q.delivery_no)
        ORDER BY q.delivery_no
        LIMIT greatest(%(per_webhook)s - coalesce((%(in_flight)s::jsonb ->> w.webhook_id::text)::int, 0), 0)
    ) AS head
    ORDER BY head.delivery_no LIMIT %(free)s
), mine AS (
    SELECT d.delivery_no FROM deliveries d JOIN picked USING (delivery_no)
    WHERE d.state = 'pending' AND (d.claimed_until IS NULL OR d.claimed_until < now())
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d
SET claimed_until = now() + make_interval(secs => %(lease_s)s), attempts = d.attempts + 1
FROM mine, webhooks w
WHERE d.delivery_no = mine.delivery_no AND w.webhook_id = d.webhook_id
RETURNING d.delivery_no, d.delivery_id::text, d.webhook_id::text, d.body::text, d.attempts,
          (extract(epoch FROM now() - d.created_at) * 1000000)::bigint, w.url, w.sealed_secret

-- name: settle
-- Only by the attempt that holds the claim: one that lost its lease has nothing to say.
UPDATE deliveries
SET state = %(state)s, last_status = %(status)s, last_error = %(error)s, claimed_until = NULL,
    next_attempt_at = now() + %(pause_us)s * interval '1 microsecond',
    finished_at = CASE WHEN %(state)s <> 'pending' THEN now() END
WHERE delivery_no = %(delivery_no)s AND attempts = %(attempts)s AND state = 'pending'

-- name: insert_test
-- A test is claimed from the start: the request that asked for it makes the call itself.
INSERT INTO deliveries (webhook_id, alert_key, body, attempts, claimed_until)
VALUES (%(webhook_id)s, %(alert_key)s, %(body)s, 1, now() + make_interval(secs => %(lease_s)s))
RETURNING delivery_no, delivery_id::text, body::text

-- name: list_deliveries
SELECT delivery_id, alert_key, state, attempts, last_status, last_error, created_at,
       CASE WHEN state = 'pending' THEN next_attempt_at END, finished_at, body
FROM deliveries WHERE webhook_id = %(webhook_id)s
ORDER BY delivery_no DESC LIMIT %(limit)s OFFSET %(offset)s

-- name: count_deliveries
SELECT count(*) FROM deliveries WHERE webhook_id = %s

-- name: get_delivery
SELECT delivery_id, alert_key, state, attempts, last_status, last_error, created_at,
       CASE WHEN state = 'pending' THEN next_attempt_at END, finished_at, body
FROM deliveries WHERE delivery_no = %s

-- name: prune_deliveries
DELETE FROM deliveries WHERE finished_at < now() - make_interval(days => %s)

-- name: prune_events
DELETE FROM alert_events WHERE created_at < now() - make_interval(days => %s)
