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
    probe_until $double NOT NULL
);
