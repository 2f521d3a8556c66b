-- name: insert_entry
INSERT INTO audit_log (org_id, environment, actor_kind, actor_id, actor_name, address, action,
                       object_kind, object_id, changes)
VALUES (%(org_id)s, %(environment)s, %(actor_kind)s, %(actor_id)s, %(actor_name)s, %(address)s,
        %(action)s, %(object_kind)s, %(object_id)s, %(changes)s)

-- name: list_entries
-- Newest first, before an entry, of one organisation and environment.
SELECT audit_id, at, actor_kind, actor_id, actor_name, address, action, object_kind, object_id, changes
FROM audit_log
WHERE org_id = %(org_id)s AND environment = %(environment)s
  AND (%(object_kind)s::text IS NULL OR object_kind = %(object_kind)s)
  AND (%(object_id)s::text IS NULL OR object_id = %(object_id)s)
  AND (%(action)s::text IS NULL OR action = %(action)s)
  AND (%(actor_id)s::text IS NULL OR actor_id = %(actor_id)s)
  AND (%(from)s::timestamptz IS NULL OR at >= %(from)s)
  AND (%(to)s::timestamptz IS NULL OR at < %(to)s)
  AND (%(before)s::bigint IS NULL OR audit_id < %(before)s)
ORDER BY audit_id DESC LIMIT %(limit)s OFFSET %(offset)s

-- name: count_entries
SELECT count(*) FROM audit_log
WHERE org_id = %(org_id)s AND environment = %(environment)s
  AND (%(object_kind)s::text IS NULL OR object_kind = %(object_kind)s)
  AND (%(object_id)s::text IS NULL OR object_id = %(object_id)s)
  AND (%(action)s::text IS NULL OR action = %(action)s)
  AND (%(actor_id)s::text IS NULL OR actor_id = %(actor_id)s)
  AND (%(from)s::timestamptz IS NULL OR at >= %(from)s)
  AND (%(to)s::timestamptz IS NULL OR at < %(to)s)
