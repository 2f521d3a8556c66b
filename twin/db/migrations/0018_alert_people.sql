-- An Alertmanager behind a proxy asks who calls: with a username the secret is a password, else a token.
ALTER TABLE webhooks ADD username text;

-- Whether a silence covered the alert when the transition happened.
ALTER TABLE alert_events ADD silenced boolean NOT NULL DEFAULT false;
