-- Raises unless the alerts of datasources have these versions, and holds them there until the transaction
-- ends: a batch that changes no state needs no more. Where it was foreseen from what a worker remembers of
-- the readings before, that worker must still be the owner of such a memory, and nothing have been deleted
-- since. It then has to be quick: others of the worker wait for its memory, so it waits for no lock.
DROP FUNCTION stand(int, int[], bigint[]);
CREATE FUNCTION stand(lock_class int, nos int[], versions bigint[], owners bigint[], removed bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(lock_class, no)
    FROM unnest(nos, owners) AS seen (no, owner) WHERE owner IS NULL;
    IF EXISTS (SELECT FROM unnest(nos, owners) AS seen (no, owner)
               WHERE owner IS NOT NULL AND NOT pg_try_advisory_xact_lock_shared(lock_class, no)) THEN
        RAISE EXCEPTION 'alerts are being judged' USING ERRCODE = 'TW001';
    END IF;
    IF EXISTS (SELECT FROM unnest(nos, versions, owners, removed) AS seen (no, version, owner, removals)
               LEFT JOIN alert_versions v ON v.datasource_no = seen.no
               LEFT JOIN removals r ON r.datasource_no = seen.no
               WHERE coalesce(v.version, 0) <> seen.version
                  OR (seen.owner IS NOT NULL
                      AND (v.owner IS DISTINCT FROM seen.owner
                           OR coalesce(r.number, 0) <> seen.removals))) THEN
        RAISE EXCEPTION 'alerts moved' USING ERRCODE = 'TW001';
    END IF;
END
$$;
