-- Sums of llm_usage over each day by the price tier that was charged, else asked for; tier '': nobody said.
CREATE TABLE llm_usage_tier (
    day $text NOT NULL,
    tier $text NOT NULL,
    requests $bigint NOT NULL,
    unpriced $bigint NOT NULL,
    tokens_in $bigint NOT NULL,
    tokens_cached $bigint NOT NULL,
    tokens_reasoning $bigint NOT NULL,
    tokens_out $bigint NOT NULL,
    cost $bigint NOT NULL,
    PRIMARY KEY (day, tier)
);
INSERT INTO llm_usage_tier
    (day, tier, requests, unpriced, tokens_in, tokens_cached, tokens_reasoning, tokens_out, cost)
SELECT day, coalesce(tier_served, tier_asked, ''), count(*), sum(CASE WHEN cost IS NULL THEN 1 ELSE 0 END),
    coalesce(sum(tokens_in), 0), coalesce(sum(tokens_cached), 0), coalesce(sum(tokens_reasoning), 0),
    coalesce(sum(tokens_out), 0), coalesce(sum(cost), 0)
FROM llm_usage WHERE day IN (SELECT day FROM llm_usage_total) GROUP BY day, coalesce(tier_served, tier_asked, '');
-- Nobody knows the tier of what was deleted since it was added up.
INSERT INTO llm_usage_tier
    (day, tier, requests, unpriced, tokens_in, tokens_cached, tokens_reasoning, tokens_out, cost)
SELECT known.day, '', known.requests, known.unpriced, known.tokens_in, known.tokens_cached, known.tokens_reasoning,
    known.tokens_out, known.cost
FROM (
    SELECT added.day, sum(added.requests) AS requests, sum(added.unpriced) AS unpriced,
        sum(added.tokens_in) AS tokens_in, sum(added.tokens_cached) AS tokens_cached,
        sum(added.tokens_reasoning) AS tokens_reasoning, sum(added.tokens_out) AS tokens_out, sum(added.cost) AS cost
    FROM (
        SELECT day, requests, unpriced, tokens_in, tokens_cached, tokens_reasoning, tokens_out, cost
        FROM llm_usage_total
        UNION ALL
        SELECT day, -requests, -unpriced, -tokens_in, -tokens_cached, -tokens_reasoning, -tokens_out, -cost
        FROM llm_usage_tier
    ) AS added GROUP BY added.day
) AS known WHERE known.requests > 0
ON CONFLICT (day, tier) DO UPDATE SET requests = llm_usage_tier.requests + excluded.requests,
    unpriced = llm_usage_tier.unpriced + excluded.unpriced,
    tokens_in = llm_usage_tier.tokens_in + excluded.tokens_in,
    tokens_cached = llm_usage_tier.tokens_cached + excluded.tokens_cached,
    tokens_reasoning = llm_usage_tier.tokens_reasoning + excluded.tokens_reasoning,
    tokens_out = llm_usage_tier.tokens_out + excluded.tokens_out, cost = llm_usage_tier.cost + excluded.cost;
-- Sums by user over 2, 4, 8 … days that are over (growbin_jobs.limits.usage_spans): a year of many users is added up at
-- once. since: the first day; user_id '': not known.
CREATE TABLE llm_usage_span (
    days $bigint NOT NULL,
    since $text NOT NULL,
    user_id $text NOT NULL,
    requests $bigint NOT NULL,
    unpriced $bigint NOT NULL,
    tokens_in $bigint NOT NULL,
    tokens_cached $bigint NOT NULL,
    tokens_reasoning $bigint NOT NULL,
    tokens_out $bigint NOT NULL,
    cost $bigint NOT NULL,
    PRIMARY KEY (days, since, user_id)
);
-- Of how many requests each span is: where its days have others, they hold and not the span.
CREATE TABLE llm_usage_spanned (
    days $bigint NOT NULL,
    since $text NOT NULL,
    requests $bigint NOT NULL,
    PRIMARY KEY (days, since)
);
-- What a batch that is done had reserved, cost, and may have cost, in micro-dollars; NULL: it is not done, or was before.
ALTER TABLE model_batch ADD COLUMN reserved $bigint;
ALTER TABLE model_batch ADD COLUMN settled $bigint;
ALTER TABLE model_batch ADD COLUMN unknown $bigint;
CREATE INDEX model_batch_made_at ON model_batch (made_at, id);
