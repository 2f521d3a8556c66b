-- name: management_key_of_secret
-- Who a management secret stands for, and until when.
SELECT o.org_id, o.tenant_id, k.environment, k.scopes, k.key_id, k.name, k.rate_limit,
       k.is_operator, o.requires_application, o.allowed_origins,
       least(k.expires_at, s.expires_at) AS expires_at
FROM management_secrets s
JOIN management_keys k USING (key_id)
JOIN organisations o USING (org_id)
WHERE s.secret_hash = %s AND k.is_active
  AND (k.expires_at IS NULL OR k.expires_at > now())
  AND (s.expires_at IS NULL OR s.expires_at > now())

-- name: ingest_key_of_secret
-- The datasource an ingest secret writes to, and until when.
SELECT d.datasource_no, d.id, k.key_id, d.readings_per_second, d.bytes_per_second,
       least(k.expires_at, s.expires_at) AS expires_at
FROM ingest_secrets s
JOIN ingest_keys k USING (key_id)
JOIN datasources d USING (datasource_no)
WHERE s.secret_hash = %s AND d.deleted_at IS NULL
  AND (k.expires_at IS NULL OR k.expires_at > now())
  AND (s.expires_at IS NULL OR s.expires_at > now())

-- name: application_of_secret
SELECT a.application_id, a.org_id, a.environment, a.per_minute, a.per_day, s.expires_at
FROM application_secrets s JOIN applications a USING (application_id)
WHERE s.secret_hash = %s AND a.is_active AND (s.expires_at IS NULL OR s.expires_at > now())

-- name: allowed_origins
SELECT DISTINCT unnest(allowed_origins) FROM organisations

-- name: lock_organisations
-- Two servers that start at once on an empty database must make one organisation.
LOCK TABLE organisations IN EXCLUSIVE MODE

-- name: count_organisations
SELECT count(*) FROM organisations

-- name: insert_organisation
INSERT INTO organisations (tenant_id, name) VALUES (%s, %s) RETURNING org_id

-- name: first_organisation
SELECT org_id, tenant_id FROM organisations ORDER BY org_id LIMIT 1

-- name: organisation_by_tenant
SELECT org_id, tenant_id FROM organisations WHERE tenant_id = %s

-- name: insert_management_key
INSERT INTO management_keys (key_id, org_id, environment, name, scopes, rate_limit, expires_at,
                             is_operator)
VALUES (%(key_id)s, %(org_id)s, %(environment)s, %(name)s, %(scopes)s, %(rate_limit)s,
        now() + make_interval(days => %(expires_in_days)s::int), %(is_operator)s)

-- name: insert_management_secret
-- A statement of its own: row-level security looks for the key, which must be there before.
INSERT INTO management_secrets (secret_hash, key_id) VALUES (%(secret_hash)s, %(key_id)s)

-- name: list_ingest_keys
SELECT key_id, name, created_at, expires_at
FROM ingest_keys WHERE datasource_no = %s ORDER BY created_at, key_id

-- name: insert_ingest_key
-- A key, unless the datasource has as many as it may.
INSERT INTO ingest_keys (key_id, datasource_no, name, expires_at)
SELECT %(key_id)s, %(datasource_no)s, %(name)s, now() + make_interval(days => %(expires_in_days)s::int)
WHERE (SELECT count(*) FROM ingest_keys WHERE datasource_no = %(datasource_no)s) < %(most)s
RETURNING key_id, name, created_at, expires_at

-- name: insert_ingest_secret
INSERT INTO ingest_secrets (secret_hash, key_id) VALUES (%(secret_hash)s, %(key_id)s)

-- name: delete_ingest_key
DELETE FROM ingest_keys WHERE datasource_no = %s AND key_id = %s

-- name: rotate_ingest_key
-- A new secret; the older ones end after the grace, or when they would have ended anyway.
WITH k AS (
    SELECT key_id, name, created_at, expires_at FROM ingest_keys
    WHERE datasource_no = %(datasource_no)s AND key_id = %(key_id)s FOR UPDATE
), old AS (
    UPDATE ingest_secrets SET expires_at =
        least(expires_at, now() + make_interval(secs => %(grace_seconds)s))
    WHERE key_id IN (SELECT key_id FROM k)
), swept AS (
    DELETE FROM ingest_secrets WHERE key_id IN (SELECT key_id FROM k) AND expires_at < now()
), s AS (
    INSERT INTO ingest_secrets (secret_hash, key_id) SELECT %(secret_hash)s, key_id FROM k
)
SELECT key_id, name, created_at, expires_at FROM k
