-- Saved widgets.
CREATE TABLE widgets (
    widget_no     int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    org_id        int NOT NULL REFERENCES organisations ON DELETE CASCADE,
    environment   text NOT NULL,
    datasource_id uuid NOT NULL,                    -- no reference: a deleted datasource's widget says so
    type          text NOT NULL,
    title         text NOT NULL,
    spec          jsonb NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX widgets_org ON widgets (org_id, environment, widget_no);
