-- What `readings` consists of, oldest first.

-- name: partitions
-- A partition's bound reads FOR VALUES FROM ('…') TO ('…').
SELECT n.nspname, c.relname, (bound.parts)[1]::timestamptz AS from_ts, (bound.parts)[2]::timestamptz
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL regexp_match(
    pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(.*)''\) TO \(''(.*)''\)'
) AS bound (parts)
WHERE i.inhparent = 'readings'::regclass
ORDER BY from_ts

-- name: chunks
SELECT chunk_schema, chunk_name, range_start, range_end
FROM timescaledb_information.chunks
WHERE hypertable_schema = current_schema() AND hypertable_name = 'readings'
ORDER BY range_start
