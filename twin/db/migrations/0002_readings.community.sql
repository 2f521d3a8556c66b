-- The readings, as a hypertable of one-day chunks with a columnstore.
CREATE TABLE readings (
    stream_id int NOT NULL,
    ts        timestamptz NOT NULL,
    v0 float8, v1 float8, v2 float8, v3 float8, v4 float8, v5 float8, v6 float8, v7 float8,
    v8 float8, v9 float8, v10 float8, v11 float8, v12 float8, v13 float8, v14 float8, v15 float8,
    PRIMARY KEY (stream_id, ts)
);
SELECT create_hypertable('readings', by_range('ts', INTERVAL '1 day'), create_default_indexes => false);

-- Closed days are kept by column: 7-9 bytes a value instead of 17.
ALTER TABLE readings SET (
    timescaledb.enable_columnstore,
    timescaledb.segmentby = 'stream_id',
    timescaledb.orderby = 'ts'
);
CALL add_columnstore_policy('readings', after => INTERVAL '2 days');
