-- Who is told of what, by webhook; what each has been told of; messages on their way and those of the last weeks; and who
-- watches the rules. Times are seconds by the clock of the database, as leases are.
CREATE TABLE webhooks (
    id $text NOT NULL PRIMARY KEY,
    name $text NOT NULL,
    url $text NOT NULL,
    secret_ref $text NOT NULL,
    rules $text NOT NULL,
    quiet $double NOT NULL,
    created_by $text NOT NULL,
    created_at $double NOT NULL,
    watched_from $double NOT NULL,
    paused_by $text
);
CREATE UNIQUE INDEX webhooks_name ON webhooks (name);

CREATE TABLE webhook_subjects (
    webhook_id $text NOT NULL,
    rule $text NOT NULL,
    subject $text NOT NULL,
    seen_at $double NOT NULL,
    told_value $double,
    state $text NOT NULL,
    PRIMARY KEY (webhook_id, rule, subject)
);

CREATE TABLE webhook_deliveries (
    id $text NOT NULL PRIMARY KEY,
    webhook_id $text NOT NULL,
    rule $text NOT NULL,
    body $text NOT NULL,
    state $text NOT NULL,
    tries $bigint NOT NULL,
    created_at $double NOT NULL,
    give_up_at $double NOT NULL,
    next_at $double NOT NULL,
    leased_by $text,
    leased_until $double NOT NULL,
    ended_at $double,
    status $bigint,
    problem $text
);
CREATE INDEX webhook_deliveries_next_at ON webhook_deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_webhook_id ON webhook_deliveries (webhook_id, created_at);

CREATE TABLE webhook_watch (
    id $bigint NOT NULL PRIMARY KEY,
    leased_by $text,
    leased_until $double NOT NULL
);

-- The digest of what a model was asked: the same question in two analyses is one.
ALTER TABLE llm_usage ADD COLUMN question $text;
