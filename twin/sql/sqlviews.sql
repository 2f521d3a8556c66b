-- Views for programs that speak SQL: what they should be, and what there is.

-- name: to_make
-- Datasources without a view, or whose keys changed since theirs was made.
SELECT d.datasource_no, d.id, d.name, d.environment, o.tenant_id, v.name, k.shape
FROM datasources AS d
JOIN organisations AS o USING (org_id)
LEFT JOIN sql_views AS v USING (datasource_no)
CROSS JOIN LATERAL (
    SELECT md5(coalesce(string_agg(k.slot || ' ' || coalesce(k.kind, '') || ' ' || k.key, ','
                                   ORDER BY k.slot), '')) AS shape
    FROM data_keys AS k WHERE k.datasource_no = d.datasource_no
) AS k
WHERE d.deleted_at IS NULL AND v.shape IS DISTINCT FROM k.shape
ORDER BY d.datasource_no
LIMIT %s

-- name: to_drop
-- Views of datasources that are deleted or gone.
SELECT v.datasource_no, v.name
FROM sql_views AS v
WHERE NOT EXISTS (SELECT FROM datasources AS d
                  WHERE d.datasource_no = v.datasource_no AND d.deleted_at IS NULL)
ORDER BY v.datasource_no
LIMIT %s

-- name: is_taken
-- Whether another datasource's view, or a relation that somebody else made, has this name.
SELECT EXISTS (SELECT FROM sql_views WHERE name = %(name)s)
    OR EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
               WHERE n.nspname = 'twin_sql' AND c.relname = %(name)s)

-- name: keep
INSERT INTO sql_views (datasource_no, name, shape) VALUES (%(no)s, %(name)s, %(shape)s)
ON CONFLICT (datasource_no) DO UPDATE SET shape = excluded.shape

-- name: forget
DELETE FROM sql_views WHERE datasource_no = %s

-- name: role_exists
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)

-- name: views_of
-- The views of an organisation's environment.
SELECT v.name
FROM sql_views AS v
JOIN datasources AS d USING (datasource_no)
WHERE d.org_id = %s AND d.environment = %s AND d.deleted_at IS NULL
