-- name: insert_webhook
-- A webhook, unless the organisation has as many as it may.
INSERT INTO webhooks (webhook_id, org_id, environment, name, url, sealed_secret)
SELECT %(id)s, %(org_id)s, %(environment)s, %(name)s, %(url)s, %(secret)s
WHERE (SELECT count(*) FROM webhooks
       WHERE org_id = %(org_id)s AND environment = %(environment)s) < %(most)s
RETURNING webhook_id, name, url, sealed_secret IS NOT NULL, created_at, updated_at

-- name: get_webhook
SELECT webhook_id, name, url, sealed_secret IS NOT NULL, created_at, updated_at FROM webhooks
WHERE org_id = %(org_id)s AND environment = %(environment)s AND webhook_id = %(id)s

-- name: webhook_secret
SELECT sealed_secret FROM webhooks WHERE webhook_id = %s

-- name: list_webhooks
SELECT webhook_id, name, url, sealed_secret IS NOT NULL, created_at, updated_at FROM webhooks
WHERE org_id = %(org_id)s AND environment = %(environment)s
ORDER BY created_at, webhook_id LIMIT %(limit)s OFFSET %(offset)s

-- name: count_webhooks
SELECT count(*) FROM webhooks WHERE org_id = %(org_id)s AND environment = %(environment)s

-- name: update_webhook
UPDATE webhooks
SET name = coalesce(%(name)s, name), url = coalesce(%(url)s, url),
    sealed_secret = CASE WHEN %(new_secret)s THEN %(secret)s ELSE sealed_secret END, updated_at = now()
WHERE org_id = %(org_id)s AND environment = %(environment)s AND webhook_id = %(id)s
RETURNING webhook_id, name, url, sealed_secret IS NOT NULL, created_at, updated_at

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
