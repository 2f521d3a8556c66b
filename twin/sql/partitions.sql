-- Time partitions of `readings` on a database without TimescaleDB.

-- name: limit_lock_wait
SELECT set_config('lock_timeout', %s, true)

-- name: lock
SELECT pg_advisory_xact_lock(%s)

-- name: daily_from
-- The day from which partitions are days.
SELECT daily_from FROM readings_partitioning

-- name: existing
SELECT c.relname
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'readings'::regclass
