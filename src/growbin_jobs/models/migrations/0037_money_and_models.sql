-- Up to where reservations of a budget on a day need not wait for the disk, in micro-dollars: this row did. server: which
-- start of the database's server, or of the machine, it holds for (growbin_jobs.limits.budget_cover).
CREATE TABLE budget_cover (
    name $text NOT NULL,
    day $text NOT NULL,
    covered $bigint NOT NULL,
    server $text NOT NULL,
    PRIMARY KEY (name, day)
);
-- Until when the models in use are offered, as the last daily look at the server found it. ends NULL: nobody says.
CREATE TABLE model_end (
    model $text NOT NULL PRIMARY KEY,
    ends $text,
    offered $bigint NOT NULL,
    checked_at $double NOT NULL
);
-- Sums are kept with each row from now on: those of the days that were not added up yet.
INSERT INTO llm_usage_sum
    (day, model, purpose, user_id, requests, unpriced, tokens_in, tokens_cached, tokens_reasoning, tokens_out, cost)
SELECT day, model, purpose, coalesce(user_id, ''), count(*), sum(CASE WHEN cost IS NULL THEN 1 ELSE 0 END),
    coalesce(sum(tokens_in), 0), coalesce(sum(tokens_cached), 0), coalesce(sum(tokens_reasoning), 0),
    coalesce(sum(tokens_out), 0), coalesce(sum(cost), 0)
FROM llm_usage WHERE day > (SELECT coalesce(max(day), '') FROM llm_usage_rolled)
GROUP BY day, model, purpose, coalesce(user_id, '');
INSERT INTO llm_usage_total
    (day, model, purpose, requests, unpriced, tokens_in, tokens_cached, tokens_reasoning, tokens_out, cost)
SELECT day, model, purpose, sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached), sum(tokens_reasoning),
    sum(tokens_out), sum(cost)
FROM llm_usage_sum WHERE day > (SELECT coalesce(max(day), '') FROM llm_usage_rolled) GROUP BY day, model, purpose;
