-- Rules that escalate, keep to a schedule or wait for data; states that are loaded by what changed.

ALTER TABLE alert_rules
    -- States are forgotten when a rule asks something else: workers then drop those they hold.
    ADD revision    int NOT NULL DEFAULT 0,
    ADD asked_at    timestamptz NOT NULL DEFAULT now(),     -- since when it asks what it asks
    -- Rules that a clock judges beside the readings.
    ADD is_clocked  boolean NOT NULL GENERATED ALWAYS AS
        (coalesce(spec ->> 'condition', '') = 'no_data'
         OR coalesce(jsonb_typeof(spec -> 'schedule'), 'null') = 'object') STORED;
CREATE INDEX alert_rules_clocked ON alert_rules (datasource_no) WHERE is_clocked AND is_active;

ALTER TABLE alert_states
    ADD severity      text,                         -- of a firing alert: its rule may escalate
    ADD error         text,                         -- judging raised: disabled until the rule is changed
    ADD datasource_no int,
    ADD version       bigint NOT NULL DEFAULT 0;    -- that of alert_versions when it was written
UPDATE alert_states s SET datasource_no = r.datasource_no,
       severity = CASE WHEN s.state = 'firing' THEN r.spec ->> 'severity' END
FROM alert_rules r WHERE r.rule_no = s.rule_no;
ALTER TABLE alert_states ALTER datasource_no SET NOT NULL;
CREATE INDEX alert_states_version ON alert_states (datasource_no, version);     -- what changed since a version

-- The worker that judged last: its memory of the newest readings then holds.
ALTER TABLE alert_versions ADD owner bigint;

-- What a firing alert was before: with to_state 'firing' and another severity, it changed only that.
ALTER TABLE alert_events ADD from_severity text;
