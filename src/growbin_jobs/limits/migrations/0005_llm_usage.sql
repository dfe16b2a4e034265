-- One row for each HTTP request to a model server. cost is in micro-dollars, priced once; NULL: the price is not known.
CREATE TABLE llm_usage (
    id $text NOT NULL PRIMARY KEY,
    sent_at $time NOT NULL,
    day $text NOT NULL,
    node $text NOT NULL,
    purpose $text NOT NULL,
    analysis_id $text,
    user_id $text,
    message_id $text,
    attempt $bigint,
    model $text NOT NULL,
    served_model $text,
    tier_asked $text,
    tier_served $text,
    outcome $text NOT NULL,
    billed $text NOT NULL,
    status $bigint,
    request_id $text,
    latency_ms $bigint NOT NULL,
    first_byte_ms $bigint,
    tokens_in $bigint,
    tokens_cached $bigint,
    tokens_cache_written $bigint,
    tokens_reasoning $bigint,
    tokens_out $bigint,
    cost $bigint,
    price_version $text
);
CREATE INDEX llm_usage_day ON llm_usage (day, model, purpose);
CREATE INDEX llm_usage_user ON llm_usage (user_id, day);
CREATE INDEX llm_usage_sent_at ON llm_usage (sent_at);
