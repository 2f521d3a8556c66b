-- How far the rollups reach, and what below that is out of date. twin/rollups.py says why it is exact.

-- Both marks lie on a quarter of an hour, in microseconds since 1970; readers_us <= writers_us.
CREATE TABLE rollup_mark (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    writers_us bigint NOT NULL,     -- a batch with a row before this records (stream, hour) below
    readers_us bigint NOT NULL,     -- buckets before this are in the rollups
    CHECK (readers_us <= writers_us)
);
INSERT INTO rollup_mark (writers_us, readers_us)
SELECT q * 900000000, q * 900000000
FROM (SELECT floor(extract(epoch FROM now()) / 900)::bigint AS q) AS quarter;

-- Append-only, and without a unique constraint: writers never wait for one another.
CREATE TABLE rollup_dirty (
    dirty_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_id int NOT NULL,
    hour      timestamptz NOT NULL
);
CREATE INDEX rollup_dirty_stream ON rollup_dirty (stream_id, hour);   -- planning a widget's query

-- Called first in every writing transaction. A function, so that one round trip takes the lock and
-- then, in a snapshot of its own, reads the mark. The key is twin/rollups.py's MARK_LOCK.
CREATE FUNCTION ingest_begin() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    mark_us bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(8387442403345329011);
    SELECT writers_us INTO STRICT mark_us FROM rollup_mark;
    RETURN mark_us;
END
$$;

-- Finds the readings of a time range in all streams: what the refresh and retention read. A few
-- pages a day, and inside the noise of a COPY (the primary key serves everything else).
CREATE INDEX readings_ts ON readings USING brin (ts) WITH (autosummarize = on);
