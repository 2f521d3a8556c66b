-- name: datasource_by_id
SELECT datasource_no, id, org_id, environment, name, timezone
FROM datasources WHERE id = %s AND deleted_at IS NULL

-- name: datasource_by_no
SELECT datasource_no, id, org_id, environment, name, timezone
FROM datasources WHERE datasource_no = %s AND deleted_at IS NULL

-- name: data_keys
SELECT key, slot, kind, unit, label FROM data_keys WHERE datasource_no = %s ORDER BY slot

-- name: streams_after
-- Streams are made in the order of their ids under the datasource's lock, so newer ones have higher ids.
SELECT stream_id, device, page FROM streams
WHERE datasource_no = %s AND stream_id > %s ORDER BY stream_id

-- name: labels_after
SELECT code, label FROM labels WHERE datasource_no = %s AND code > %s ORDER BY code

-- name: lock_datasource
-- Serialises all learning of one datasource; no row: it is deleted.
SELECT datasource_no FROM datasources WHERE datasource_no = %s AND deleted_at IS NULL FOR UPDATE

-- name: learn_keys
-- New keys take the next slots; a declared key without a kind takes that of its first value.
INSERT INTO data_keys (datasource_no, key, slot, kind)
SELECT %(no)s, n.key,
       coalesce((SELECT max(slot) FROM data_keys WHERE datasource_no = %(no)s), -1)
           + row_number() OVER (ORDER BY n.place),
       n.kind
FROM unnest(%(keys)s::text[], %(kinds)s::text[]) WITH ORDINALITY AS n (key, kind, place)
WHERE NOT EXISTS (SELECT FROM data_keys k WHERE k.datasource_no = %(no)s AND k.key = n.key)

-- name: learn_kinds
UPDATE data_keys k SET kind = n.kind
FROM unnest(%(keys)s::text[], %(kinds)s::text[]) AS n (key, kind)
WHERE k.datasource_no = %(no)s AND k.key = n.key AND k.kind IS NULL AND n.kind IS NOT NULL

-- name: learn_streams
-- In the order of their first readings, which is the order devices are listed in.
INSERT INTO streams (datasource_no, device, page)
SELECT %(no)s, n.device, n.page
FROM unnest(%(devices)s::text[], %(pages)s::int2[]) WITH ORDINALITY AS n (device, page, place)
WHERE NOT EXISTS (SELECT FROM streams s
                  WHERE s.datasource_no = %(no)s AND s.device = n.device AND s.page = n.page)
ORDER BY n.place

-- name: learn_labels
INSERT INTO labels (datasource_no, code, label)
SELECT %(no)s,
       coalesce((SELECT max(code) FROM labels WHERE datasource_no = %(no)s), -1)
           + row_number() OVER (ORDER BY n.place),
       n.label
FROM unnest(%(labels)s::text[]) WITH ORDINALITY AS n (label, place)
WHERE NOT EXISTS (SELECT FROM labels l WHERE l.datasource_no = %(no)s AND l.label = n.label)
