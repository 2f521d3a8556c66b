-- name: database
-- When PostgreSQL started (Unix time), and how many deliveries wait, counted up to a bound.
SELECT extract(epoch FROM pg_postmaster_start_time())::float8,
       (SELECT count(*) FROM (SELECT FROM deliveries WHERE state = 'pending' LIMIT 10000) AS waiting)
