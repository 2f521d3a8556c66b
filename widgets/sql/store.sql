-- name: lock_organisation
-- Makes counting an organisation's widgets and adding one a single step.
SELECT 1 FROM organisations WHERE org_id = %(org_id)s FOR UPDATE

-- name: count
-- How many widgets an organisation has, in all environments.
SELECT count(*) FROM widgets WHERE org_id = %(org_id)s

-- name: insert
-- Saves a new widget.
INSERT INTO widgets (id, org_id, environment, datasource_id, type, title, spec)
VALUES (%(id)s, %(org_id)s, %(environment)s, %(datasource_id)s, %(type)s, %(title)s, %(spec)s)
RETURNING id, org_id, environment, spec, created_at, updated_at

-- name: find
-- A widget by its public id.
SELECT id, org_id, environment, spec, created_at, updated_at FROM widgets WHERE id = %(id)s

-- name: find_for_update
-- A principal's widget, locked: a patch is merged into what is stored.
SELECT id, org_id, environment, spec, created_at, updated_at FROM widgets
WHERE id = %(id)s AND org_id = %(org_id)s AND environment = %(environment)s
FOR UPDATE

-- name: list_page
-- One page of an environment's widgets, oldest first.
SELECT id, org_id, environment, spec, created_at, updated_at FROM widgets
WHERE org_id = %(org_id)s AND environment = %(environment)s
  AND (%(datasource_id)s::uuid IS NULL OR datasource_id = %(datasource_id)s)
ORDER BY widget_no LIMIT %(limit)s OFFSET %(offset)s

-- name: list_total
-- How many widgets the same list has in all.
SELECT count(*) FROM widgets
WHERE org_id = %(org_id)s AND environment = %(environment)s
  AND (%(datasource_id)s::uuid IS NULL OR datasource_id = %(datasource_id)s)

-- name: update
-- Replaces a widget's spec.
UPDATE widgets
SET spec = %(spec)s, datasource_id = %(datasource_id)s, type = %(type)s, title = %(title)s,
    updated_at = now()
WHERE id = %(id)s
RETURNING id, org_id, environment, spec, created_at, updated_at

-- name: delete
-- Deletes a principal's widget.
DELETE FROM widgets
WHERE id = %(id)s AND org_id = %(org_id)s AND environment = %(environment)s
RETURNING datasource_id
