-- Sums of llm_usage over each day that has ended, so that years of it are added up at once; user_id '': not known.
CREATE TABLE llm_usage_sum (
    day $text NOT NULL,
    model $text NOT NULL,
    purpose $text NOT NULL,
    user_id $text NOT NULL,
    requests $bigint NOT NULL,
    unpriced $bigint NOT NULL,
    tokens_in $bigint NOT NULL,
    tokens_cached $bigint NOT NULL,
    tokens_reasoning $bigint NOT NULL,
    tokens_out $bigint NOT NULL,
    cost $bigint NOT NULL,
    PRIMARY KEY (day, model, purpose, user_id)
);
-- The days whose sums are there, and of how many requests.
CREATE TABLE llm_usage_rolled (
    day $text NOT NULL PRIMARY KEY,
    requests $bigint NOT NULL
);
