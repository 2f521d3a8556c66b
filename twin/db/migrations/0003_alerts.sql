-- Alert rules, their state per device, history, webhooks and the outbox.

CREATE TABLE webhooks (
    webhook_id   uuid PRIMARY KEY,
    org_id       int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    environment  text NOT NULL,
    name         text NOT NULL,
    url          text NOT NULL,
    secret       text,                              -- HMAC key
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhooks_org ON webhooks (org_id, environment);

CREATE TABLE alert_rules (
    rule_no         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              uuid NOT NULL UNIQUE,
    org_id          int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    environment     text NOT NULL,
    datasource_no   int NOT NULL REFERENCES datasources ON DELETE CASCADE,
    name            text NOT NULL,
    key             text NOT NULL,
    device          text,                           -- NULL = every device
    spec            jsonb NOT NULL,                 -- condition, thresholds, severity, colours, icon, webhooks
    is_active       boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_rules_org ON alert_rules (org_id, environment, rule_no);
CREATE INDEX alert_rules_datasource ON alert_rules (datasource_no);     -- a worker loads a datasource's rules

-- One row per rule and device that has left 'normal' at least once.
CREATE TABLE alert_states (
    rule_no       int NOT NULL REFERENCES alert_rules ON DELETE CASCADE,
    device        text NOT NULL,
    state         text NOT NULL CHECK (state IN ('normal', 'pending', 'firing')),
    since         timestamptz NOT NULL,             -- event time of the reading that caused the state
    last_ts       timestamptz NOT NULL,             -- newest reading judged at the last transition
    value         float8,
    PRIMARY KEY (rule_no, device)
);

-- Bumped in the transaction of every transition and rule change: a worker whose copy of the states
-- carries an older version reloads it under the datasource's advisory lock.
CREATE TABLE alert_versions (
    datasource_no int PRIMARY KEY REFERENCES datasources ON DELETE CASCADE,
    version       bigint NOT NULL DEFAULT 0
);

CREATE TABLE alert_events (
    event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id        int NOT NULL,
    environment   text NOT NULL,
    rule_id       uuid NOT NULL,                    -- kept when the rule is deleted
    rule_name     text NOT NULL,
    datasource_no int NOT NULL REFERENCES datasources ON DELETE CASCADE,
    device        text NOT NULL,
    key           text NOT NULL,
    from_state    text NOT NULL,
    to_state      text NOT NULL,
    severity      text NOT NULL,
    ts            timestamptz NOT NULL,             -- the causing reading's time
    value         float8,
    reason        text,                             -- when no reading caused it: rule changed, deleted, ...
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_events_org ON alert_events (org_id, environment, event_id DESC);
CREATE INDEX alert_events_rule ON alert_events (rule_id, event_id DESC);

-- Deliveries to make, written with the transition. Order is kept per (webhook, alert).
CREATE TABLE deliveries (
    delivery_no    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id    uuid NOT NULL DEFAULT gen_random_uuid(),   -- X-Twinfeed-Delivery, the same on a retry
    webhook_id     uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    alert_key      text NOT NULL,                   -- '<rule id>/<device>'
    body           jsonb NOT NULL,
    state          text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts       int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    claimed_until  timestamptz,
    last_status    int,
    last_error     text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz
);
CREATE INDEX deliveries_queue ON deliveries (webhook_id, delivery_no) WHERE state = 'pending';    -- claiming
CREATE INDEX deliveries_order ON deliveries (webhook_id, alert_key, delivery_no) WHERE state = 'pending';
CREATE INDEX deliveries_webhook ON deliveries (webhook_id, delivery_no DESC);             -- listing
