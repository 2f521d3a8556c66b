-- Organisations, keys, datasources and their schema (keys, streams, labels).
-- Everything lives in the schema that the connection's search_path names first.

CREATE TABLE organisations (
    org_id      int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text NOT NULL UNIQUE,             -- public name, 'org_<hex>'
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE management_keys (
    key_id       text PRIMARY KEY,                -- 'key_<hex>'
    org_id       int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    environment  text NOT NULL CHECK (environment IN ('live', 'test')),
    name         text NOT NULL,
    scopes       text[] NOT NULL,                 -- subset of admin, read, write
    rate_limit   int CHECK (rate_limit > 0),      -- requests per clock hour, NULL = none
    is_active    boolean NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    usage_count  bigint NOT NULL DEFAULT 0
);
CREATE INDEX management_keys_org ON management_keys (org_id);   -- listing an organisation's keys

-- A key's secrets, as SHA-256. Rotation adds a row and lets the older ones end after the grace.
CREATE TABLE management_secrets (
    secret_hash bytea PRIMARY KEY,
    key_id      text NOT NULL REFERENCES management_keys ON DELETE CASCADE,
    expires_at  timestamptz
);
CREATE INDEX management_secrets_key ON management_secrets (key_id);

CREATE TABLE datasources (
    datasource_no  int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             uuid NOT NULL UNIQUE,          -- public id, part of the ingestion URL
    org_id         int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    environment    text NOT NULL CHECK (environment IN ('live', 'test')),
    name           text NOT NULL,
    description    text,
    timezone       text NOT NULL DEFAULT 'UTC',   -- IANA name: zone of text times without offset
    retention_days int CHECK (retention_days > 0),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    deleted_at     timestamptz                    -- set first; readings and row go later, in the background
);
CREATE INDEX datasources_org ON datasources (org_id, environment, datasource_no) WHERE deleted_at IS NULL;
CREATE INDEX datasources_deleted ON datasources (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE ingest_keys (
    key_id        text PRIMARY KEY,               -- 'ik_<hex>'
    datasource_no int NOT NULL REFERENCES datasources ON DELETE CASCADE,
    name          text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz
);
CREATE INDEX ingest_keys_datasource ON ingest_keys (datasource_no);

CREATE TABLE ingest_secrets (
    secret_hash bytea PRIMARY KEY,
    key_id      text NOT NULL REFERENCES ingest_keys ON DELETE CASCADE,
    expires_at  timestamptz
);
CREATE INDEX ingest_secrets_key ON ingest_secrets (key_id);

-- A key's slot is its place in a reading, for ever: page = slot / 16, column v<slot % 16>.
CREATE TABLE data_keys (
    datasource_no int NOT NULL REFERENCES datasources ON DELETE CASCADE,
    key           text NOT NULL,
    slot          int2 NOT NULL,
    kind          text CHECK (kind IN ('number', 'boolean', 'text')),   -- NULL until the first value
    unit          text,
    label         text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    first_seen    timestamptz,                    -- by event time, from ingest_log
    last_seen     timestamptz,
    PRIMARY KEY (datasource_no, key),
    UNIQUE (datasource_no, slot)
);

-- One row per device and page of 16 slots; page 0 holds a row for every reading of the device.
CREATE TABLE streams (
    stream_id     int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    datasource_no int NOT NULL REFERENCES datasources ON DELETE CASCADE,
    device        text NOT NULL,
    page          int2 NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (datasource_no, device, page)
);

-- Text values: a reading stores the code.
CREATE TABLE labels (
    datasource_no int NOT NULL REFERENCES datasources ON DELETE CASCADE,
    code          int NOT NULL,
    label         text NOT NULL,
    PRIMARY KEY (datasource_no, code),
    UNIQUE (datasource_no, label)
);

-- What each committed batch added, a row per datasource, written in the batch's transaction and
-- without contention; a job folds it into datasource_totals, data_keys.first_seen/last_seen.
CREATE TABLE ingest_log (
    entry_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    datasource_no int NOT NULL,
    readings      bigint NOT NULL,                -- new (device, time) pairs; negative for deletions
    first_ts      timestamptz,
    last_ts       timestamptz,
    slots         int2[] NOT NULL DEFAULT '{}'    -- slots that held a value in this batch
);
CREATE INDEX ingest_log_datasource ON ingest_log (datasource_no);   -- reading a datasource's total

CREATE TABLE datasource_totals (
    datasource_no int PRIMARY KEY REFERENCES datasources ON DELETE CASCADE,
    readings      bigint NOT NULL DEFAULT 0
);
