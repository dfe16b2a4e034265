-- Who may use the monitor: sessions of browsers, tokens of scripts, links for one sign-in. Secrets are kept as SHA-256.
CREATE TABLE monitor_session (
    id $text NOT NULL PRIMARY KEY,
    secret_hash $text NOT NULL,
    name $text NOT NULL,
    kind $text NOT NULL,
    role $text NOT NULL,
    personal $bigint NOT NULL,
    address $text NOT NULL,
    created_at $time NOT NULL,
    expires_at $time NOT NULL,
    ended_at $time
);
CREATE INDEX monitor_session_expires ON monitor_session (expires_at);
CREATE TABLE monitor_token (
    id $text NOT NULL PRIMARY KEY,
    secret_hash $text NOT NULL,
    name $text NOT NULL,
    kind $text NOT NULL,
    role $text NOT NULL,
    personal $bigint NOT NULL,
    created_by $text NOT NULL,
    created_at $time NOT NULL,
    expires_at $time NOT NULL,
    revoked_at $time,
    used_at $time
);
