-- How often readings of a datasource were deleted, counted in the deletion's transaction: whoever remembers
-- readings, or shows what they caused, compares it with what it saw.
CREATE TABLE removals (
    datasource_no int PRIMARY KEY REFERENCES datasources ON DELETE CASCADE,
    number        bigint NOT NULL DEFAULT 1
);

-- The removals after which the alerts of devices without readings were ended.
ALTER TABLE alert_versions ADD swept bigint NOT NULL DEFAULT 0;

-- Why a rule is disabled for every device: it cannot be read, or judging it raised. Until it is changed.
ALTER TABLE alert_rules ADD error text;
CREATE INDEX alert_rules_failed ON alert_rules (datasource_no) WHERE error IS NOT NULL;

-- Raises unless the alerts of datasources have these versions, and holds them there until the transaction
-- ends: a batch that changes no state needs no more. Each statement sees what was committed before it.
CREATE FUNCTION stand(lock_class int, nos int[], versions bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(lock_class, no) FROM unnest(nos) AS no;
    IF EXISTS (SELECT FROM unnest(nos, versions) AS seen (no, version)
               LEFT JOIN alert_versions v ON v.datasource_no = seen.no
               WHERE coalesce(v.version, 0) <> seen.version) THEN
        RAISE EXCEPTION 'alerts moved' USING ERRCODE = 'TW001';
    END IF;
END
$$;
