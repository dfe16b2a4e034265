-- Counters of rate limiters and barriers, for engine/rate_limits.py. Rows that have expired count as absent.
CREATE TABLE rate_limits (
    name $text NOT NULL PRIMARY KEY,
    value $bigint NOT NULL,
    expires_at $double NOT NULL
);
CREATE INDEX rate_limits_expires_at ON rate_limits (expires_at);
