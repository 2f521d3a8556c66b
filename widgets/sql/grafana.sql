-- What an organisation's environment has to choose from in Grafana.

-- name: metrics
SELECT d.id, d.name, k.key, k.label, k.unit
FROM datasources AS d
JOIN data_keys AS k USING (datasource_no)
WHERE d.org_id = %(org_id)s AND d.environment = %(environment)s AND d.deleted_at IS NULL
ORDER BY d.datasource_no, k.slot
LIMIT %(most)s

-- name: datasources
SELECT id, name
FROM datasources
WHERE org_id = %(org_id)s AND environment = %(environment)s AND deleted_at IS NULL
ORDER BY datasource_no
LIMIT %(most)s

-- name: named
-- The datasource with this name; of several the oldest.
SELECT id
FROM datasources
WHERE org_id = %(org_id)s AND environment = %(environment)s AND deleted_at IS NULL AND name = %(name)s
ORDER BY datasource_no
LIMIT 1

-- name: devices
SELECT DISTINCT s.device
FROM streams AS s
JOIN datasources AS d USING (datasource_no)
WHERE d.org_id = %(org_id)s AND d.environment = %(environment)s AND d.deleted_at IS NULL
ORDER BY s.device
LIMIT %(most)s
