-- All of a database, for a backup and its restore.

-- name: is_ours
SELECT to_regclass('migrations') IS NOT NULL

-- name: is_unfinished
SELECT to_regclass('unfinished_restore') IS NOT NULL

-- name: snapshot_time
SELECT now()

-- name: applied
SELECT version, digest FROM migrations ORDER BY version

-- name: home
SELECT home FROM home

-- name: relations
-- Whatever a reader of ours may come to, so that none of it is dropped or emptied meanwhile: our tables,
-- the partitions, and what TimescaleDB keeps (chunks, also those of the columnstore).
SELECT n.nspname, c.relname
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND (n.oid = current_schema()::regnamespace
       OR n.nspname = '_timescaledb_internal'
          AND c.relowner = (SELECT relowner FROM pg_class WHERE oid = 'readings'::regclass))
ORDER BY 1, 2

-- name: tables
-- Tables with their columns as far as they are stored; a partition belongs to its table.
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname
ORDER BY c.relname

-- name: references
-- Which table refers to which other.
SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text
FROM pg_constraint
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND conrelid <> confrelid

-- name: sequences
SELECT sequencename, last_value FROM pg_sequences
WHERE schemaname = current_schema() AND last_value IS NOT NULL
ORDER BY sequencename

-- name: set_sequence
SELECT setval(quote_ident(%s)::regclass, %s)

-- name: sealed_sample
SELECT sealed_secret FROM webhooks WHERE sealed_secret IS NOT NULL LIMIT 1

-- name: is_empty
-- Whether the schema holds nothing.
SELECT NOT EXISTS (
    SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %s
)

-- name: begin_restore
CREATE TABLE unfinished_restore (begun_at timestamptz NOT NULL DEFAULT now())

-- name: end_restore
DROP TABLE unfinished_restore

-- name: set_rollup_mark
-- The rollups hold nothing yet: those of all readings are made from here on.
UPDATE rollup_mark SET writers_us = %(mark_us)s, readers_us = %(mark_us)s
