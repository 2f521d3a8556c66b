-- name: lock_organisation
SELECT org_id FROM organisations WHERE org_id = %(org_id)s FOR UPDATE

-- name: count_applications
SELECT count(*) FROM applications WHERE org_id = %(org_id)s AND environment = %(environment)s

-- name: insert_application
INSERT INTO applications (application_id, org_id, environment, name, per_minute, per_day)
VALUES (%(id)s, %(org_id)s, %(environment)s, %(name)s, %(per_minute)s, %(per_day)s)
RETURNING application_id, name, per_minute, per_day, is_active, environment, created_at, updated_at

-- name: insert_application_secret
INSERT INTO application_secrets (secret_hash, application_id) VALUES (%(secret_hash)s, %(id)s)

-- name: list_applications
SELECT application_id, name, per_minute, per_day, is_active, environment, created_at, updated_at
FROM applications WHERE org_id = %(org_id)s AND environment = %(environment)s
ORDER BY created_at, application_id LIMIT %(limit)s OFFSET %(offset)s

-- name: get_application
SELECT application_id, name, per_minute, per_day, is_active, environment, created_at, updated_at
FROM applications
WHERE org_id = %(org_id)s AND environment = %(environment)s AND application_id = %(id)s FOR UPDATE

-- name: update_application
UPDATE applications
SET name = %(name)s, per_minute = %(per_minute)s, per_day = %(per_day)s, is_active = %(is_active)s,
    updated_at = now()
WHERE org_id = %(org_id)s AND environment = %(environment)s AND application_id = %(id)s
RETURNING application_id, name, per_minute, per_day, is_active, environment, created_at, updated_at

-- name: delete_application
DELETE FROM applications
WHERE org_id = %(org_id)s AND environment = %(environment)s AND application_id = %(id)s
RETURNING name

-- name: rotate_application
-- A new token; the older ones end after the grace, or when they would have ended anyway.
WITH old AS (
    UPDATE application_secrets SET expires_at =
        least(expires_at, now() + make_interval(secs => %(grace_seconds)s))
    WHERE application_id = %(id)s
), swept AS (
    DELETE FROM application_secrets WHERE application_id = %(id)s AND expires_at < now()
)
INSERT INTO application_secrets (secret_hash, application_id) VALUES (%(secret_hash)s, %(id)s)
