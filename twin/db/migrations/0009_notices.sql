-- What receivers are to be told, apart from the calls that tell it: a delivery may carry many alerts.

ALTER TABLE webhooks
    ADD COLUMN type             text NOT NULL DEFAULT 'webhook' CHECK (type IN ('webhook', 'alertmanager', 'email')),
    ADD COLUMN recipients       text[],             -- of an e-mail
    ADD COLUMN group_by         text[],             -- labels that alerts of a call share; NULL = one alert a call
    ADD COLUMN group_wait_s     float8 NOT NULL DEFAULT 0,
    ADD COLUMN repeat_s         float8,             -- how often a firing alert is told again; NULL = never
    ADD COLUMN signature        text NOT NULL DEFAULT 'twinfeed' CHECK (signature IN ('twinfeed', 'grafana')),
    ADD COLUMN timestamp_header text,               -- of Grafana's signature; NULL = it covers the body alone
    ADD COLUMN failures         int NOT NULL DEFAULT 0,     -- calls in a row that the receiver did not take
    ADD COLUMN open_until       timestamptz,        -- the circuit is open: not called before, then once
    ALTER COLUMN url DROP NOT NULL;
CREATE INDEX webhooks_open ON webhooks (open_until) WHERE open_until IS NOT NULL;

-- One row per webhook and transition, written with the transition. It waits (delivery_no NULL), is
-- carried by a delivery, and goes with that delivery's end: so the oldest row of an alert says what is
-- told next, and nothing of it goes while an older one is under way.
CREATE TABLE notices (
    notice_no     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id    uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    rule_id       uuid NOT NULL,
    device        text NOT NULL,
    datasource_no int NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('transition', 'repeat', 'unsilenced')),
    alert         json NOT NULL,                    -- as in the body's `alerts`
    group_key     text NOT NULL,                    -- what shares a call
    created_at    timestamptz NOT NULL DEFAULT now(),
    due_at        timestamptz NOT NULL,
    delivery_no   bigint
);
CREATE INDEX notices_queue ON notices (webhook_id, due_at, notice_no) WHERE delivery_no IS NULL;  -- taking
CREATE INDEX notices_group ON notices (webhook_id, group_key, due_at) WHERE delivery_no IS NULL;  -- a group's moment
CREATE INDEX notices_order ON notices (webhook_id, rule_id, device, notice_no);
CREATE INDEX notices_delivery ON notices (delivery_no) WHERE delivery_no IS NOT NULL;             -- settling

-- What a receiver was last told of an alert that is firing, and what a silence holds back from it.
CREATE TABLE alert_told (
    webhook_id    uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    rule_id       uuid NOT NULL,
    device        text NOT NULL,
    datasource_no int NOT NULL,
    is_firing     boolean NOT NULL,                 -- as it was told; false = never told
    alert         json,
    held          json,                             -- the newest thing that a silence held back
    told_at       timestamptz,
    repeat_at     timestamptz,
    PRIMARY KEY (webhook_id, rule_id, device)
);
CREATE INDEX alert_told_repeat ON alert_told (repeat_at) WHERE repeat_at IS NOT NULL;
CREATE INDEX alert_told_held ON alert_told (datasource_no) WHERE held IS NOT NULL;

-- A silence covers what all of its fields that are not NULL name.
CREATE TABLE alert_silences (
    silence_id    uuid PRIMARY KEY,
    org_id        int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    environment   text NOT NULL,
    rule_id       uuid,
    datasource_no int REFERENCES datasources ON DELETE CASCADE,
    device        text,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    comment       text,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(rule_id, datasource_no, device) > 0)
);
CREATE INDEX alert_silences_org ON alert_silences (org_id, environment, ends_at);

CREATE FUNCTION is_silenced(org int, env text, rule uuid, datasource int, dev text, at timestamptz)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM alert_silences s
        WHERE s.org_id = org AND s.environment = env AND s.starts_at <= at AND s.ends_at > at
          AND (s.rule_id IS NULL OR s.rule_id = rule)
          AND (s.datasource_no IS NULL OR s.datasource_no = datasource)
          AND (s.device IS NULL OR s.device = dev))
$$;

-- What an alert shares a call with: alerts with the same labels, or none.
CREATE FUNCTION alert_group(labels text[], rule uuid, dev text, alert json)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN labels IS NULL THEN rule || '/' || dev
                ELSE coalesce((SELECT jsonb_object_agg(l, alert -> 'labels' ->> l) FROM unnest(labels) AS l)::text, '')
           END
$$;

ALTER TABLE alert_events
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN acknowledged_by text;
DROP INDEX alert_events_rule;
CREATE INDEX alert_events_rule ON alert_events (rule_id, device, event_id DESC);   -- an alert's course

-- A delivery is one call and its retries. Its body is kept as it was sent.
ALTER TABLE deliveries
    ADD COLUMN kind      text NOT NULL DEFAULT 'alerts' CHECK (kind IN ('alerts', 'repeat', 'test')),
    ADD COLUMN alerts    int NOT NULL DEFAULT 1,    -- how many it carries
    ADD COLUMN resent_at timestamptz,               -- when somebody asked for it again: its day began anew
    ALTER COLUMN body TYPE json USING body::text::json;
UPDATE deliveries SET kind = 'test' WHERE alert_key LIKE 'test/%';
-- What was never attempted waits as a notice; what was is carried by its delivery.
INSERT INTO notices (webhook_id, rule_id, device, datasource_no, kind, alert, group_key, created_at, due_at,
                     delivery_no)
SELECT w.webhook_id, split_part(w.alert_key, '/', 1)::uuid, substr(w.alert_key, 38), d.datasource_no,
       'transition', w.body -> 'alerts' -> 0, w.alert_key, w.created_at, w.created_at,
       CASE WHEN w.attempts > 0 THEN w.delivery_no END
FROM deliveries w JOIN datasources d ON d.id::text = w.body -> 'alerts' -> 0 -> 'labels' ->> 'datasource_id'
WHERE w.state = 'pending' AND w.kind <> 'test'
ORDER BY w.delivery_no;
DELETE FROM deliveries WHERE state = 'pending' AND attempts = 0;
DROP INDEX deliveries_order;
DROP INDEX deliveries_queue;
ALTER TABLE deliveries DROP COLUMN alert_key;
CREATE INDEX deliveries_queue ON deliveries (webhook_id, next_attempt_at) WHERE state = 'pending';     -- claiming
CREATE INDEX deliveries_state ON deliveries (webhook_id, state, delivery_no DESC);                     -- listing
