-- Scenes, the models they are drawn with, and who may look at them.

-- Content by its hash: a model uploaded twice is kept once. Not across organisations, which would let one
-- find out what another has.
CREATE TABLE asset_blobs (
    org_id  int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    sha256  bytea NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (org_id, sha256)
);
ALTER TABLE asset_blobs ALTER COLUMN content SET STORAGE EXTERNAL;  -- parts are read without the whole

CREATE TABLE assets (
    asset_id    uuid PRIMARY KEY,
    org_id      int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    name        text NOT NULL,
    sha256      bytea NOT NULL,
    size_bytes  bigint NOT NULL,
    model       jsonb NOT NULL,                   -- names of nodes, triangles: what checking it told
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (org_id, sha256) REFERENCES asset_blobs
);
CREATE INDEX assets_org ON assets (org_id, environment, created_at);    -- listing, counting
CREATE INDEX assets_blob ON assets (org_id, sha256);                    -- who else has this content

CREATE TABLE scenes (
    scene_id    uuid PRIMARY KEY,
    org_id      int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    name        text NOT NULL,
    description text NOT NULL,
    body        jsonb NOT NULL,                   -- nodes, cameras, environment
    asset_ids   uuid[] NOT NULL,                  -- of the body, for a view token and a model's deletion
    widget_ids  uuid[] NOT NULL,
    nodes_total int NOT NULL,
    revision    int NOT NULL DEFAULT 1,           -- moves with each save
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX scenes_org ON scenes (org_id, environment, created_at);
CREATE INDEX scenes_assets ON scenes USING gin (asset_ids);             -- which scenes use a model

CREATE TABLE view_tokens (
    token_id    text PRIMARY KEY,                 -- 'view_<hex>'
    scene_id    uuid NOT NULL REFERENCES scenes ON DELETE CASCADE,
    name        text NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    expires_at  timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX view_tokens_scene ON view_tokens (scene_id, created_at);

-- A browser that signed in with a management key; the key itself is not kept there.
CREATE TABLE sessions (
    secret_hash bytea PRIMARY KEY,
    key_id      text NOT NULL REFERENCES management_keys ON DELETE CASCADE,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX sessions_key ON sessions (key_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);                  -- clearing them away
