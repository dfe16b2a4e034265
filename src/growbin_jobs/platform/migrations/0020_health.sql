-- What is known of each agent and model; a worker's restart changes nothing here.
CREATE TABLE health_states (
    target $text NOT NULL PRIMARY KEY,
    state $text NOT NULL,
    since $time NOT NULL,
    reason $text,
    failures $bigint NOT NULL,
    successes $bigint NOT NULL,
    recent $json NOT NULL,
    checked_at $time,
    last_due $time,
    busy_until $time,
    status $text,
    latency_ms $bigint,
    tls_expires_at $time,
    alerted_state $text
);
-- Changes of state, append-only.
CREATE TABLE health_events (
    id $text NOT NULL PRIMARY KEY,
    target $text NOT NULL,
    at $time NOT NULL,
    before $text NOT NULL,
    after $text NOT NULL,
    reason $text,
    alert $bigint NOT NULL
);
CREATE INDEX health_events_target ON health_events (target, at);
CREATE INDEX health_events_at ON health_events (at);
-- Times without alerts. starts: HH:MM of the zone on each of the weekdays (1 to 7), NULL: from from_at to until_at.
CREATE TABLE maintenance_windows (
    id $text NOT NULL PRIMARY KEY,
    target $text NOT NULL,
    zone $text NOT NULL,
    weekdays $text,
    starts $text,
    minutes $bigint,
    from_at $time,
    until_at $time
);
