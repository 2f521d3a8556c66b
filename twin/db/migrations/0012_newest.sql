-- Where the newest two readings of a datasource are, by event time, so that the newest of a hundred
-- thousand devices is two index lookups. A batch's entry says it of its own rows of page 0, the fold
-- keeps the newest. A place whose reading was deleted since leads nowhere: readers then search.
ALTER TABLE ingest_log
    ADD COLUMN newest_ts timestamptz,     -- NULL in an entry with first_ts: not known
    ADD COLUMN newest_stream int,
    ADD COLUMN second_ts timestamptz,     -- of a single reading the same once more
    ADD COLUMN second_stream int;
ALTER TABLE datasource_totals
    ADD COLUMN newest_ts timestamptz,
    ADD COLUMN newest_stream int,
    ADD COLUMN second_ts timestamptz,
    ADD COLUMN second_stream int,
    ADD COLUMN newest_known boolean NOT NULL DEFAULT true;
UPDATE datasource_totals SET newest_known = false;

DROP FUNCTION store_few;
-- Stores the few rows of a small batch in one round trip and one transaction: what the writer does for
-- a large batch in several statements around a COPY (ingest/transaction.py), in the same order.
-- Columns that no row uses are NULL; unnest pads them.
CREATE FUNCTION store_few(
    ids int[], stamps timestamptz[],
    c0 float8[], c1 float8[], c2 float8[], c3 float8[], c4 float8[], c5 float8[], c6 float8[],
    c7 float8[], c8 float8[], c9 float8[], c10 float8[], c11 float8[], c12 float8[], c13 float8[],
    c14 float8[], c15 float8[],
    datasource_nos int[], counts bigint[], firsts timestamptz[], lasts timestamptz[], held text[],
    newest timestamptz[], newest_streams int[], seconds timestamptz[], second_streams int[]
) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    mark timestamptz := to_timestamp(ingest_begin() / 1000000);
BEGIN
    INSERT INTO readings
    SELECT * FROM unnest(ids, stamps, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13,
                         c14, c15);
    IF EXISTS (SELECT FROM unnest(stamps) AS stamp WHERE stamp < mark) THEN
        INSERT INTO rollup_dirty (stream_id, hour)
        SELECT DISTINCT id, date_trunc('hour', stamp, 'UTC')
        FROM unnest(ids, stamps) AS row_of (id, stamp) WHERE stamp < mark;
    END IF;
    INSERT INTO ingest_log (datasource_no, readings, first_ts, last_ts, slots,
                            newest_ts, newest_stream, second_ts, second_stream)
    SELECT no, readings, first_ts, last_ts, slots::int2[], n_ts, n_stream, s_ts, s_stream
    FROM unnest(datasource_nos, counts, firsts, lasts, held,
                newest, newest_streams, seconds, second_streams)
        AS entry (no, readings, first_ts, last_ts, slots, n_ts, n_stream, s_ts, s_stream);
END
$$;
