-- Circuit breakers of the whole cluster. Moments are seconds since 1970 on the database's clock.
CREATE TABLE breaker (
    name $text NOT NULL PRIMARY KEY,
    state $text NOT NULL,
    reason $text NOT NULL,
    failures $bigint NOT NULL,
    pauses $bigint NOT NULL,
    open_until $double NOT NULL,
    changed_at $double NOT NULL,
    fence $bigint NOT NULL,
    probe_until $double NOT NULL,
    failed_at $double NOT NULL,
    held_at $double NOT NULL,
    proven_at $double NOT NULL,
    suspect $text NOT NULL,
    told $double NOT NULL,
    told_at $double NOT NULL
);

-- Messages whose requests failed, to tell a message's own fault from an outage. Rows live for a day.
CREATE TABLE breaker_failure (
    breaker $text NOT NULL,
    message_id $text NOT NULL,
    failed_at $double NOT NULL,
    times $bigint NOT NULL,
    PRIMARY KEY (breaker, message_id)
);
