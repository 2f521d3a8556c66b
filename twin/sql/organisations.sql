-- name: insert_organisation
-- An organisation, unless the server has as many as it may.
INSERT INTO organisations (tenant_id, name)
SELECT %(tenant_id)s, %(name)s WHERE (SELECT count(*) FROM organisations) < %(most)s
RETURNING org_id, tenant_id, name, requires_application, allowed_origins, created_at

-- name: list_organisations
SELECT org_id, tenant_id, name, requires_application, allowed_origins, created_at
FROM organisations ORDER BY org_id LIMIT %(limit)s OFFSET %(offset)s

-- name: count_organisations
SELECT count(*) FROM organisations

-- name: get_organisation
SELECT org_id, tenant_id, name, requires_application, allowed_origins, created_at
FROM organisations WHERE org_id = %(org_id)s

-- name: update_organisation
UPDATE organisations
SET name = coalesce(%(name)s, name),
    requires_application = coalesce(%(requires_application)s, requires_application),
    allowed_origins = coalesce(%(allowed_origins)s::text[], allowed_origins)
WHERE org_id = %(org_id)s
RETURNING org_id, tenant_id, name, requires_application, allowed_origins, created_at

-- name: all_organisations
SELECT tenant_id, created_at, name FROM organisations ORDER BY org_id
