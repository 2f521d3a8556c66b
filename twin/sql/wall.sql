-- name: role_name
-- The role of this database's API requests: its own, so that two servers of one cluster share none.
SELECT 'twinfeed_api_' || oid FROM pg_database WHERE datname = current_database()

-- name: role_state
-- Whether the role exists, and whether a session of ours can become it.
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %(role)s),
       coalesce((SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = %(role)s), false)

-- name: without_rights
-- The tables and views of the schema that the role cannot use yet. Partitions are reached by their parent.
SELECT relname FROM pg_class
WHERE relnamespace = %(schema)s::text::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
  AND relname <> ALL (%(closed)s) AND NOT has_table_privilege(%(role)s, oid, 'INSERT')
