-- How often dirty hours were made clean, counted in the transaction that deletes their entries: rows of
-- closed buckets that a worker keeps hold as long as this stands and none of their hours is dirty.
ALTER TABLE rollup_mark ADD COLUMN cleanings bigint NOT NULL DEFAULT 0;
