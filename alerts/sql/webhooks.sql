-- name: insert_webhook
-- A webhook, unless the organisation has as many as it may.
INSERT INTO webhooks (webhook_id, org_id, environment, name, type, url, recipients, sealed_secret,
                      username, signature, timestamp_header, group_by, group_wait_s, repeat_s)
SELECT %(id)s, %(org_id)s, %(environment)s, %(name)s, %(type)s, %(url)s, %(recipients)s::text[], %(secret)s,
       %(username)s, %(signature)s, %(timestamp_header)s, %(group_by)s::text[], %(group_wait_seconds)s, %(repeat_seconds)s
WHERE (SELECT count(*) FROM webhooks
       WHERE org_id = %(org_id)s AND environment = %(environment)s) < %(most)s
RETURNING webhook_id, name, type, url, recipients, sealed_secret IS NOT NULL, username, signature, timestamp_header,
       group_by, group_wait_s, repeat_s, failures, open_until, created_at, updated_at

-- name: get_webhook
SELECT webhook_id, name, type, url, recipients, sealed_secret IS NOT NULL, username, signature, timestamp_header,
       group_by, group_wait_s, repeat_s, failures, open_until, created_at, updated_at FROM webhooks
WHERE org_id = %(org_id)s AND environment = %(environment)s AND webhook_id = %(id)s

-- name: lock_webhook
-- Without its secret, which a change leaves as it is.
SELECT name, type, url, recipients, NULL, username, signature, timestamp_header, group_by, group_wait_s, repeat_s
FROM webhooks WHERE org_id = %(org_id)s AND environment = %(environment)s AND webhook_id = %(id)s
FOR NO KEY UPDATE

-- name: list_webhooks
SELECT webhook_id, name, type, url, recipients, sealed_secret IS NOT NULL, username, signature, timestamp_header,
       group_by, group_wait_s, repeat_s, failures, open_until, created_at, updated_at FROM webhooks
WHERE org_id = %(org_id)s AND environment = %(environment)s
ORDER BY created_at, webhook_id LIMIT %(limit)s OFFSET %(offset)s

-- name: count_webhooks
SELECT count(*) FROM webhooks WHERE org_id = %(org_id)s AND environment = %(environment)s

-- name: update_webhook
-- Whoever changes a receiver wants it called: its circuit closes.
UPDATE webhooks
SET name = %(name)s, url = %(url)s, recipients = %(recipients)s::text[],
    sealed_secret = CASE WHEN %(new_secret)s THEN %(secret)s ELSE sealed_secret END,
    username = %(username)s, signature = %(signature)s, timestamp_header = %(timestamp_header)s,
    group_by = %(group_by)s::text[], group_wait_s = %(group_wait_seconds)s, repeat_s = %(repeat_seconds)s, failures = 0, open_until = NULL,
    updated_at = now()
WHERE webhook_id = %(id)s
RETURNING webhook_id, name, type, url, recipients, sealed_secret IS NOT NULL, username, signature, timestamp_header,
       group_by, group_wait_s, repeat_s, failures, open_until, created_at, updated_at

-- name: repeat_anew
-- Alerts that fire already follow a new pace.
UPDATE alert_told SET repeat_at = told_at + make_interval(secs => %(repeat_seconds)s)
WHERE webhook_id = %(id)s AND is_firing

-- name: retry_anew
UPDATE deliveries SET next_attempt_at = now() WHERE webhook_id = %(id)s AND state = 'pending'

-- name: datasources_using
-- In ascending order: so their locks are taken.
SELECT DISTINCT datasource_no FROM alert_rules
WHERE org_id = %(org_id)s AND environment = %(environment)s AND spec -> 'webhooks' ? %(text)s
ORDER BY datasource_no

-- name: unlink_webhook
UPDATE alert_rules SET spec = jsonb_set(spec, '{webhooks}', (spec -> 'webhooks') - %(text)s::text)
WHERE org_id = %(org_id)s AND environment = %(environment)s AND spec -> 'webhooks' ? %(text)s

-- name: delete_webhook
DELETE FROM webhooks
WHERE org_id = %(org_id)s AND environment = %(environment)s AND webhook_id = %(id)s
