-- name: lock_assets
-- Changes of an organisation's models go one after the other: content is shared between them.
SELECT pg_advisory_xact_lock(hashtextextended('twinfeed assets', %(org_id)s))

-- name: count_assets
SELECT count(*) FROM assets WHERE org_id = %(org_id)s AND environment = %(environment)s

-- name: insert_blob
INSERT INTO asset_blobs (org_id, sha256, content) VALUES (%(org_id)s, %(sha256)s, %(content)s)
ON CONFLICT DO NOTHING

-- name: delete_unused_blob
DELETE FROM asset_blobs AS b WHERE b.org_id = %(org_id)s AND b.sha256 = %(sha256)s
  AND NOT EXISTS (SELECT FROM assets AS a WHERE a.org_id = b.org_id AND a.sha256 = b.sha256)

-- name: insert_asset
INSERT INTO assets (asset_id, org_id, environment, name, sha256, size_bytes, model)
VALUES (%(asset_id)s, %(org_id)s, %(environment)s, %(name)s, %(sha256)s, %(size_bytes)s, %(model)s)

-- name: replace_asset
UPDATE assets SET sha256 = %(sha256)s, size_bytes = %(size_bytes)s, model = %(model)s, updated_at = now()
WHERE asset_id = %(asset_id)s

-- name: rename_asset
UPDATE assets SET name = %(name)s, updated_at = now()
WHERE asset_id = %(asset_id)s AND org_id = %(org_id)s AND environment = %(environment)s

-- name: delete_asset
DELETE FROM assets WHERE asset_id = %(asset_id)s

-- name: get_assets
-- Some of an environment's models by id.
SELECT asset_id, name, size_bytes, encode(sha256, 'hex'), model, created_at, updated_at
FROM assets
WHERE org_id = %(org_id)s AND environment = %(environment)s AND asset_id = ANY (%(asset_ids)s)
ORDER BY created_at, asset_id

-- name: list_assets
SELECT asset_id, name, size_bytes, encode(sha256, 'hex'), model, created_at, updated_at
FROM assets
WHERE org_id = %(org_id)s AND environment = %(environment)s
ORDER BY created_at, asset_id LIMIT %(limit)s OFFSET %(offset)s

-- name: scenes_of_asset
-- Scenes that would lack a model.
SELECT scene_id, name FROM scenes
WHERE org_id = %(org_id)s AND asset_ids @> ARRAY[%(asset_id)s::uuid] ORDER BY name LIMIT 20

-- name: blob_part
-- Bytes of a content; from is counted from 1.
SELECT substring(content FROM %(from)s FOR %(bytes)s) FROM asset_blobs
WHERE org_id = %(org_id)s AND sha256 = decode(%(sha256)s, 'hex')

-- name: known_widgets
-- Which of some widgets an environment has.
SELECT id FROM widgets
WHERE org_id = %(org_id)s AND environment = %(environment)s AND id = ANY (%(widget_ids)s)

-- name: lock_scenes
-- Keeps the number of an organisation's scenes, and the models they use, as they are.
SELECT pg_advisory_xact_lock(hashtextextended('twinfeed assets', %(org_id)s))

-- name: count_scenes
SELECT count(*) FROM scenes WHERE org_id = %(org_id)s AND environment = %(environment)s

-- name: insert_scene
INSERT INTO scenes (scene_id, org_id, environment, name, description, body, asset_ids, widget_ids, nodes_total)
VALUES (%(scene_id)s, %(org_id)s, %(environment)s, %(name)s, %(description)s, %(body)s, %(asset_ids)s,
        %(widget_ids)s, %(nodes_total)s)

-- name: get_scene
SELECT scene_id, name, description, body, revision, created_at, updated_at FROM scenes
WHERE scene_id = %(scene_id)s AND org_id = %(org_id)s AND environment = %(environment)s

-- name: lock_scene
SELECT revision FROM scenes
WHERE scene_id = %(scene_id)s AND org_id = %(org_id)s AND environment = %(environment)s FOR UPDATE

-- name: replace_scene
UPDATE scenes SET name = %(name)s, description = %(description)s, body = %(body)s,
    asset_ids = %(asset_ids)s, widget_ids = %(widget_ids)s, nodes_total = %(nodes_total)s,
    revision = revision + 1, updated_at = now()
WHERE scene_id = %(scene_id)s

-- name: patch_scene
UPDATE scenes SET name = coalesce(%(name)s, name), description = coalesce(%(description)s, description),
    revision = revision + 1, updated_at = now()
WHERE scene_id = %(scene_id)s

-- name: delete_scene
DELETE FROM scenes
WHERE scene_id = %(scene_id)s AND org_id = %(org_id)s AND environment = %(environment)s RETURNING name

-- name: list_scenes
SELECT scene_id, name, description, revision, nodes_total, cardinality(widget_ids), created_at, updated_at
FROM scenes WHERE org_id = %(org_id)s AND environment = %(environment)s
ORDER BY created_at, scene_id LIMIT %(limit)s OFFSET %(offset)s

-- name: insert_view_token
-- A token, unless the scene has as many as it may.
INSERT INTO view_tokens (token_id, scene_id, name, secret_hash, expires_at)
SELECT %(token_id)s, %(scene_id)s, %(name)s, %(secret_hash)s,
       now() + make_interval(days => %(expires_in_days)s::int)
WHERE (SELECT count(*) FROM view_tokens WHERE scene_id = %(scene_id)s) < %(most)s
RETURNING token_id, scene_id, name, expires_at, created_at

-- name: count_view_tokens
SELECT count(*) FROM view_tokens WHERE scene_id = %(scene_id)s

-- name: list_view_tokens
SELECT token_id, scene_id, name, expires_at, created_at FROM view_tokens
WHERE scene_id = %(scene_id)s ORDER BY created_at, token_id LIMIT %(limit)s OFFSET %(offset)s

-- name: delete_view_token
DELETE FROM view_tokens WHERE scene_id = %(scene_id)s AND token_id = %(token_id)s RETURNING name

-- name: view_of_secret
-- The scene that a view token shows, what belongs to it, and until when.
SELECT s.org_id, o.tenant_id, s.environment, t.token_id, t.name, s.scene_id, s.widget_ids, s.asset_ids,
       o.allowed_origins, t.expires_at
FROM view_tokens AS t
JOIN scenes AS s USING (scene_id)
JOIN organisations AS o USING (org_id)
WHERE t.secret_hash = %s AND (t.expires_at IS NULL OR t.expires_at > now())

-- name: insert_session
INSERT INTO sessions (secret_hash, key_id, expires_at)
VALUES (%(secret_hash)s, %(key_id)s, now() + make_interval(secs => %(seconds)s))

-- name: delete_session
DELETE FROM sessions WHERE secret_hash = %s

-- name: delete_expired_sessions
DELETE FROM sessions WHERE expires_at < now()

-- name: key_of_session
-- The management key that a browser signed in with, if both are still good.
SELECT o.org_id, o.tenant_id, k.environment, k.scopes, k.key_id, k.name, k.rate_limit,
       k.is_operator, o.requires_application, o.allowed_origins,
       least(k.expires_at, s.expires_at) AS expires_at
FROM sessions AS s
JOIN management_keys AS k USING (key_id)
JOIN organisations AS o USING (org_id)
WHERE s.secret_hash = %s AND s.expires_at > now() AND k.is_active
  AND (k.expires_at IS NULL OR k.expires_at > now())
