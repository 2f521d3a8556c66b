-- The second wall between organisations: what a connection sees is bounded by the setting twinfeed.org,
-- an org_id or 'all'; unset it sees nothing. It stands before the role that API requests run as
-- (twin/db/wall.py), not before the owner: the writers, the background jobs and the SQL views.

CREATE FUNCTION bound_org() RETURNS int LANGUAGE sql STABLE AS $$
    SELECT nullif(nullif(current_setting('twinfeed.org', true), ''), 'all')::int
$$;
CREATE FUNCTION bound_to_all() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('twinfeed.org', true) = 'all', false)
$$;

DO $$
DECLARE
    owned text;
    link text[];
BEGIN
    FOREACH owned IN ARRAY ARRAY[
        'organisations', 'management_keys', 'datasources', 'applications', 'audit_log', 'widgets',
        'webhooks', 'alert_rules', 'alert_events', 'alert_silences', 'asset_blobs', 'assets', 'scenes'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);
        -- As subqueries the settings are read once per statement, and indexes on org_id still serve.
        EXECUTE format(
            'CREATE POLICY of_organisation ON %I USING'
            ' ((SELECT bound_to_all()) OR org_id = (SELECT bound_org()))', owned);
    END LOOP;
    -- Rows of a table without org_id belong to whom their parent belongs to: its policy holds inside.
    FOREACH link SLICE 1 IN ARRAY ARRAY[
        ['management_secrets', 'management_keys', 'key_id'],
        ['sessions', 'management_keys', 'key_id'],
        ['application_secrets', 'applications', 'application_id'],
        ['ingest_keys', 'datasources', 'datasource_no'],
        ['ingest_secrets', 'ingest_keys', 'key_id'],
        ['data_keys', 'datasources', 'datasource_no'],
        ['streams', 'datasources', 'datasource_no'],
        ['labels', 'datasources', 'datasource_no'],
        ['ingest_log', 'datasources', 'datasource_no'],
        ['datasource_totals', 'datasources', 'datasource_no'],
        ['removals', 'datasources', 'datasource_no'],
        ['sql_views', 'datasources', 'datasource_no'],
        ['alert_versions', 'datasources', 'datasource_no'],
        ['alert_states', 'alert_rules', 'rule_no'],
        ['notices', 'webhooks', 'webhook_id'],
        ['alert_told', 'webhooks', 'webhook_id'],
        ['deliveries', 'webhooks', 'webhook_id'],
        ['view_tokens', 'scenes', 'scene_id']
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', link[1]);
        EXECUTE format(
            'CREATE POLICY of_parent ON %1$I USING ((SELECT bound_to_all())'
            ' OR EXISTS (SELECT FROM %2$I AS parent WHERE parent.%3$I = %1$I.%3$I))',
            link[1], link[2], link[3]);
    END LOOP;
END
$$;
