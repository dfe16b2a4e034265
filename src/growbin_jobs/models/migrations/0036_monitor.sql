-- What the processes of each node have counted since its folder was made: one row for each node, replaced as a whole.
CREATE TABLE node_counts (
    node $text NOT NULL PRIMARY KEY,
    counts $json NOT NULL,
    seen_at $time NOT NULL
);

-- Letters about which nobody has decided: nearly every page counts or lists them.
CREATE INDEX dead_letters_open ON dead_letters (died_at, id)
    WHERE retried_at IS NULL AND discarded_at IS NULL AND taken_by IS NULL;

-- Sums of llm_usage over each day that has been added up, without users: what a page asks for most often.
CREATE TABLE llm_usage_total (
    day $text NOT NULL,
    model $text NOT NULL,
    purpose $text NOT NULL,
    requests $bigint NOT NULL,
    unpriced $bigint NOT NULL,
    tokens_in $bigint NOT NULL,
    tokens_cached $bigint NOT NULL,
    tokens_reasoning $bigint NOT NULL,
    tokens_out $bigint NOT NULL,
    cost $bigint NOT NULL,
    PRIMARY KEY (day, model, purpose)
);
INSERT INTO llm_usage_total
    (day, model, purpose, requests, unpriced, tokens_in, tokens_cached, tokens_reasoning, tokens_out, cost)
SELECT day, model, purpose, sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached), sum(tokens_reasoning),
    sum(tokens_out), sum(cost)
FROM llm_usage_sum GROUP BY day, model, purpose;
