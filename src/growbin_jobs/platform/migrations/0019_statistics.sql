-- Slots of 15 minutes whose facts have changed since they were rolled up. source: the facts' table.
CREATE TABLE statistics_dirty (
    slot_at $time NOT NULL,
    source $text NOT NULL CHECK (source IN ('api_calls', 'sessions', 'logins', 'users')),
    version $bigint NOT NULL,
    PRIMARY KEY (slot_at, source)
);
-- What a person has accepted as not counted. source: the facts' table, or the kind of a period; facts: rows of a slot.
CREATE TABLE statistics_losses (
    id $text NOT NULL PRIMARY KEY,
    source $text NOT NULL,
    since $time NOT NULL,
    until $time NOT NULL,
    facts $bigint,
    accepted_at $time NOT NULL,
    accepted_by $text NOT NULL
);
-- Roll-up of 15 minutes. source: api_calls or sessions; bucket: of the latency histogram (histogram.py).
CREATE TABLE statistics_slots (
    slot_at $time NOT NULL,
    source $text NOT NULL,
    model $text NOT NULL,
    bucket $bigint NOT NULL,
    calls $bigint NOT NULL,
    failed $bigint NOT NULL,
    tokens_in $bigint NOT NULL,
    tokens_out $bigint NOT NULL,
    cost $bigint NOT NULL,
    PRIMARY KEY (slot_at, source, model, bucket)
);
-- One row for each day, ISO week and month of a zone. digest: of all that was counted; stale: facts have come late.
CREATE TABLE statistics (
    kind $text NOT NULL,
    period $text NOT NULL,
    zone $text NOT NULL,
    since $time NOT NULL,
    until $time NOT NULL,
    total_users $bigint NOT NULL,
    active_users $bigint NOT NULL,
    total_agents $bigint NOT NULL,
    production_agents $bigint NOT NULL,
    total_sessions $bigint NOT NULL,
    total_api_calls $bigint NOT NULL,
    failed_api_calls $bigint NOT NULL,
    llm_usage $json NOT NULL,
    latency $json NOT NULL,
    sources $json NOT NULL,
    digest $text NOT NULL,
    stale $bigint NOT NULL,
    revision $bigint NOT NULL,
    computed_at $time NOT NULL,
    PRIMARY KEY (kind, period, zone)
);
CREATE INDEX statistics_since ON statistics (since, until);
-- Before complete_since rows of a source may have been deleted: nothing is counted from them again.
CREATE TABLE retention_limits (
    source $text NOT NULL PRIMARY KEY,
    complete_since $time NOT NULL
);
