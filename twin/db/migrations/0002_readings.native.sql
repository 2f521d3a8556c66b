-- The readings, in native time partitions that twin/db/partitions.py makes.
CREATE TABLE readings (
    stream_id int NOT NULL,
    ts        timestamptz NOT NULL,
    v0 float8, v1 float8, v2 float8, v3 float8, v4 float8, v5 float8, v6 float8, v7 float8,
    v8 float8, v9 float8, v10 float8, v11 float8, v12 float8, v13 float8, v14 float8, v15 float8,
    PRIMARY KEY (stream_id, ts)
) PARTITION BY RANGE (ts);

-- Days from installation on, months before it.
CREATE TABLE readings_partitioning (daily_from date NOT NULL);
INSERT INTO readings_partitioning VALUES ((now() AT TIME ZONE 'UTC')::date);
