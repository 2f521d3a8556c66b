-- name: database
-- When PostgreSQL started (Unix time), how many alerts are yet to be told of, up to a bound, and
-- how many receivers' circuits are open.
SELECT extract(epoch FROM pg_postmaster_start_time())::float8,
       (SELECT count(*) FROM (SELECT FROM notices LIMIT 10000) AS waiting),
       (SELECT count(*) FROM webhooks WHERE open_until IS NOT NULL)
