-- Servers tell each other of changes on a channel whose name nobody else knows: PostgreSQL lets every
-- login of a database listen to and notify any channel, the read-only ones of organisations too.
ALTER TABLE home ADD COLUMN channel text NOT NULL
    DEFAULT 'twinfeed_' || replace(gen_random_uuid()::text, '-', '');

-- Who may use this schema may send, without reading `home`.
CREATE FUNCTION tell(message text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = twinfeed, pg_temp AS $$
    SELECT pg_notify((SELECT channel FROM twinfeed.home), message)
$$;
