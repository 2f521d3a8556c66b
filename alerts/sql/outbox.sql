-- name: claim
-- Deliveries to make again: retries that are due, and what a worker that ended had claimed. A claim is a
-- lease: who dies with one loses it. A receiver that is being probed need not wait for its moment.
WITH RECURSIVE waiting AS (
    (SELECT webhook_id FROM deliveries WHERE state = 'pending' ORDER BY webhook_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.webhook_id FROM deliveries d
            WHERE d.state = 'pending' AND d.webhook_id > w.webhook_id
            ORDER BY d.webhook_id LIMIT 1)
    FROM waiting w WHERE w.webhook_id IS NOT NULL
), may AS (
    SELECT w.webhook_id, w.webhook_id::text = ANY(%(probing)s::text[]) AS probing,
           CASE WHEN w.webhook_id::text = ANY(%(probing)s::text[]) THEN 1
                WHEN w.open_until IS NULL
                THEN greatest(%(per_webhook)s - coalesce((%(in_flight)s::jsonb ->> w.webhook_id::text)::int, 0), 0)
                ELSE 0 END AS slots
    FROM waiting JOIN webhooks w USING (webhook_id)
), picked AS (
    SELECT head.delivery_no
    FROM may m
    CROSS JOIN LATERAL (
        SELECT d.delivery_no, d.next_attempt_at FROM deliveries d
        WHERE d.webhook_id = m.webhook_id AND d.state = 'pending'
          AND (d.next_attempt_at <= now() OR m.probing)
          AND (d.claimed_until IS NULL OR d.claimed_until < now())
        ORDER BY d.next_attempt_at LIMIT m.slots
    ) AS head
    ORDER BY head.next_attempt_at LIMIT %(free)s
), mine AS (
    SELECT d.delivery_no FROM deliveries d JOIN picked USING (delivery_no)
    WHERE d.state = 'pending' AND (d.claimed_until IS NULL OR d.claimed_until < now())
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE deliveries d
SET claimed_until = now() + make_interval(secs => %(lease_s)s), attempts = d.attempts + 1
FROM mine WHERE d.delivery_no = mine.delivery_no
RETURNING d.delivery_no, d.delivery_id::text, d.webhook_id::text, d.kind, d.body::text, d.attempts,
          (extract(epoch FROM now() - coalesce(d.resent_at, d.created_at)) * 1000000)::bigint

-- name: settle
-- Only by the attempt that holds the claim: one that lost its lease has nothing to say. What a delivery
-- carried is told when it has ended. The receiver's circuit opens after so many failures in a row, for
-- longer and longer, and closes with the first call that it takes; then its retries are due at once.
WITH settled AS (
    UPDATE deliveries
    SET state = %(state)s, last_status = %(status)s, last_error = %(error)s, claimed_until = NULL,
        next_attempt_at = now() + %(pause_us)s * interval '1 microsecond',
        finished_at = CASE WHEN %(state)s <> 'pending' THEN now() END
    WHERE delivery_no = %(delivery_no)s AND attempts = %(attempts)s AND state = 'pending'
    RETURNING delivery_no, webhook_id, state, kind
), told AS (
    DELETE FROM notices n USING settled s WHERE s.state <> 'pending' AND n.delivery_no = s.delivery_no
), closed AS (
    UPDATE deliveries d SET next_attempt_at = now()
    FROM settled s JOIN webhooks w USING (webhook_id)
    WHERE %(is_alive)s AND s.kind <> 'test' AND w.open_until IS NOT NULL
      AND d.webhook_id = s.webhook_id AND d.state = 'pending' AND d.delivery_no <> s.delivery_no
      AND (d.claimed_until IS NULL OR d.claimed_until < now())
)
UPDATE webhooks w
SET failures = CASE WHEN %(is_alive)s THEN 0 ELSE w.failures + 1 END,
    open_until = CASE WHEN NOT %(is_alive)s AND w.failures + 1 >= %(break_after)s
        THEN now() + make_interval(secs => least(%(longest_open_s)s,
                 %(first_open_s)s * power(2, least(w.failures + 1 - %(break_after)s, 20)))) END
FROM settled s
WHERE w.webhook_id = s.webhook_id AND s.kind <> 'test' AND (w.failures > 0 OR NOT %(is_alive)s)

-- name: give_up
-- Deliveries whose day ended while their receiver's circuit was open.
WITH ended AS (
    UPDATE deliveries d
    SET state = 'failed', finished_at = now(), last_error = concat_ws(' ', d.last_error, %(error)s::text)
    FROM webhooks w
    WHERE w.webhook_id = d.webhook_id AND w.open_until IS NOT NULL AND d.state = 'pending'
      AND coalesce(d.resent_at, d.created_at) < now() - %(day_us)s * interval '1 microsecond'
      AND (d.claimed_until IS NULL OR d.claimed_until < now())
    RETURNING d.delivery_no
)
DELETE FROM notices n USING ended e WHERE n.delivery_no = e.delivery_no

-- name: insert_test
-- A test is claimed from the start: the request that asked for it makes the call itself.
INSERT INTO deliveries (webhook_id, kind, body, attempts, claimed_until)
VALUES (%(webhook_id)s, 'test', %(body)s::json, 1, now() + make_interval(secs => %(lease_s)s))
RETURNING delivery_no, delivery_id::text

-- name: resend
-- Again from the start of its day, with the same id.
UPDATE deliveries SET state = 'pending', next_attempt_at = now(), resent_at = now(), finished_at = NULL
WHERE webhook_id = %(webhook_id)s AND delivery_id = %(delivery_id)s AND state <> 'pending'
RETURNING delivery_no

-- name: list_deliveries
SELECT delivery_id, kind, alerts, state, attempts, last_status, last_error, created_at,
       CASE WHEN state = 'pending' THEN next_attempt_at END, resent_at, finished_at, body
FROM deliveries
WHERE webhook_id = %(webhook_id)s AND (%(status)s::text IS NULL OR state = %(status)s)
ORDER BY delivery_no DESC LIMIT %(limit)s OFFSET %(offset)s

-- name: count_deliveries
SELECT count(*) FROM deliveries
WHERE webhook_id = %(webhook_id)s AND (%(status)s::text IS NULL OR state = %(status)s)

-- name: get_delivery
SELECT delivery_id, kind, alerts, state, attempts, last_status, last_error, created_at,
       CASE WHEN state = 'pending' THEN next_attempt_at END, resent_at, finished_at, body
FROM deliveries WHERE webhook_id = %(webhook_id)s AND delivery_id = %(delivery_id)s

-- name: prune_deliveries
DELETE FROM deliveries WHERE finished_at < now() - make_interval(days => %s)

-- name: prune_events
DELETE FROM alert_events WHERE created_at < now() - make_interval(days => %s)
