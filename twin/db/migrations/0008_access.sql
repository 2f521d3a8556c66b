-- Who may do what: operators, applications, limits, the audit trail, sealed secrets.

ALTER TABLE organisations
    ADD COLUMN requires_application boolean NOT NULL DEFAULT false,  -- each request names an application
    ADD COLUMN allowed_origins text[] NOT NULL DEFAULT '{}';         -- browsers on these may read answers

ALTER TABLE management_keys
    ADD COLUMN is_operator boolean NOT NULL DEFAULT false;           -- makes and lists organisations

-- Before organisations could be told apart, one key was the whole server's.
UPDATE management_keys SET is_operator = true
WHERE key_id = (SELECT key_id FROM management_keys WHERE name = 'First admin key'
                ORDER BY created_at LIMIT 1);

CREATE TABLE applications (
    application_id text PRIMARY KEY,              -- 'app_<hex>'
    org_id       int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    environment  text NOT NULL CHECK (environment IN ('live', 'test')),
    name         text NOT NULL,
    per_minute   int CHECK (per_minute > 0),      -- requests per clock minute, NULL = none
    per_day      int CHECK (per_day > 0),         -- requests per day in UTC, NULL = none
    is_active    boolean NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX applications_org ON applications (org_id, environment);    -- listing, counting

CREATE TABLE application_secrets (
    secret_hash    bytea PRIMARY KEY,
    application_id text NOT NULL REFERENCES applications ON DELETE CASCADE,
    expires_at     timestamptz
);
CREATE INDEX application_secrets_application ON application_secrets (application_id);

ALTER TABLE datasources
    ADD COLUMN readings_per_second float8 CHECK (readings_per_second > 0),   -- NULL = no limit
    ADD COLUMN bytes_per_second float8 CHECK (bytes_per_second > 0);

-- What each host has counted of a limit that other hosts count too. Lost in a crash: a limit then
-- starts anew, which is cheaper than a log of every count.
CREATE UNLOGGED TABLE limit_counts (
    subject    bigint NOT NULL,                   -- hash of what is limited and by which limit
    starts_at  bigint NOT NULL,                   -- of the window, Unix seconds
    host       bigint NOT NULL,
    used       bigint NOT NULL,
    ends_at    bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subject, starts_at, host)
);
CREATE INDEX limit_counts_updated ON limit_counts (updated_at);    -- what moved since the last look

-- Every change of what an organisation owns. Rows are only ever added: the trigger refuses the rest.
CREATE TABLE audit_log (
    audit_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id      int NOT NULL,                     -- no reference: the trail outlives what it speaks of
    environment text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    actor_kind  text NOT NULL,                    -- 'key' or 'command line'
    actor_id    text NOT NULL,                    -- the key's id, or the user of the operating system
    actor_name  text NOT NULL,
    address     text NOT NULL,                    -- the client's, '' from the command line
    action      text NOT NULL,                    -- 'create', 'update', 'delete', 'rotate', ...
    object_kind text NOT NULL,                    -- 'management key', 'datasource', 'alert', ...
    object_id   text NOT NULL,
    changes     jsonb NOT NULL                    -- the fields given, secrets left out
);
CREATE INDEX audit_log_org ON audit_log (org_id, environment, audit_id DESC);      -- newest first
CREATE INDEX audit_log_object ON audit_log (org_id, object_id, audit_id DESC);     -- one object's trail

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A webhook's secret under the server's key; `secret` holds old ones until the next start seals them.
ALTER TABLE webhooks ADD COLUMN sealed_secret text;

-- Seals secrets where no server was given a key of its own.
CREATE TABLE kept_key (
    key       text NOT NULL,
    only_one  boolean PRIMARY KEY DEFAULT true CHECK (only_one)
);
