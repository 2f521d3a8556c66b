-- Management keys as an admin sees them. `environment` NULL: those of both environments.

-- name: lock_organisation
-- Changes of an organisation's keys go one after the other: one admin key must remain.
SELECT org_id FROM organisations WHERE org_id = %(org_id)s FOR UPDATE

-- name: count_keys
SELECT count(*) FROM management_keys
WHERE org_id = %(org_id)s AND (%(environment)s::text IS NULL OR environment = %(environment)s)

-- name: list_keys
SELECT k.key_id, o.tenant_id, k.name, k.scopes, k.environment, k.is_active, k.rate_limit,
       k.created_at, k.expires_at, k.last_used_at, k.usage_count
FROM management_keys k JOIN organisations o USING (org_id)
WHERE k.org_id = %(org_id)s AND (%(environment)s::text IS NULL OR k.environment = %(environment)s)
ORDER BY k.created_at, k.key_id LIMIT %(limit)s OFFSET %(offset)s

-- name: get_key
SELECT k.key_id, o.tenant_id, k.name, k.scopes, k.environment, k.is_active, k.rate_limit,
       k.created_at, k.expires_at, k.last_used_at, k.usage_count
FROM management_keys k JOIN organisations o USING (org_id)
WHERE k.org_id = %(org_id)s AND (%(environment)s::text IS NULL OR k.environment = %(environment)s)
  AND k.key_id = %(key_id)s

-- name: other_admin_keys
-- Live admin keys that work now, leaving one out.
SELECT count(*) FROM management_keys
WHERE org_id = %(org_id)s AND environment = 'live' AND 'admin' = ANY(scopes) AND is_active
  AND (expires_at IS NULL OR expires_at > now()) AND key_id <> %(key_id)s

-- name: update_key
UPDATE management_keys
SET name = %(name)s, is_active = %(is_active)s, rate_limit = %(rate_limit)s, scopes = %(scopes)s,
    expires_at = CASE WHEN %(new_expiry)s
        THEN now() + make_interval(days => %(expires_in_days)s::int) ELSE expires_at END
WHERE key_id = %(key_id)s

-- name: delete_key
DELETE FROM management_keys WHERE key_id = %(key_id)s

-- name: rotate_key
-- A new secret; the older ones end after the grace, or when they would have ended anyway.
WITH old AS (
    UPDATE management_secrets SET expires_at =
        least(expires_at, now() + make_interval(secs => %(grace_seconds)s))
    WHERE key_id = %(key_id)s
), swept AS (
    DELETE FROM management_secrets WHERE key_id = %(key_id)s AND expires_at < now()
)
INSERT INTO management_secrets (secret_hash, key_id) VALUES (%(secret_hash)s, %(key_id)s)

-- name: add_usage
-- What a worker has seen of each key since it last said so.
UPDATE management_keys k
SET usage_count = k.usage_count + u.used, last_used_at = greatest(k.last_used_at, u.last_used_at)
FROM unnest(%(keys)s::text[], %(counts)s::bigint[], %(times)s::timestamptz[]) AS u (key_id, used, last_used_at)
WHERE k.key_id = u.key_id

-- name: all_keys
-- An organisation's keys for the command line.
SELECT key_id, environment, scopes, is_active, expires_at, last_used_at, name
FROM management_keys WHERE org_id = %s ORDER BY created_at, key_id

-- name: owner_of_key
SELECT org_id, environment FROM management_keys WHERE key_id = %s FOR UPDATE

-- name: switch_key
UPDATE management_keys SET is_active = %s WHERE key_id = %s
