-- name: insert_kept_key
-- The key of servers that were given none; the first one's stays.
INSERT INTO kept_key (key) VALUES (%s) ON CONFLICT DO NOTHING

-- name: kept_key
SELECT key FROM kept_key

-- name: webhook_secrets
SELECT webhook_id, secret, sealed_secret FROM webhooks
WHERE secret IS NOT NULL OR sealed_secret IS NOT NULL FOR UPDATE

-- name: seal_webhook_secret
UPDATE webhooks SET sealed_secret = %s, secret = NULL WHERE webhook_id = %s
