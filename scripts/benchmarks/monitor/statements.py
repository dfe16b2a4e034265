"""The statements by which PostgreSQL makes a month of work itself. Each row depends on its number alone."""

#: A number from 0 to 1 for each n, always the same.
_CHANCE = "(hashint8extended({number}, {seed}) & 1048575) / 1048576.0"

#: Classes of errors; some of their texts name what varies.
_CLASSES = ("KeyError", "APITimeoutError", "RateLimited", "ValueError", "S3Error", "ConnectionError", "JSONDecodeError",
            "PictureError", "TimeLimitExceeded", "OperationalError", "UnicodeError")  # fmt: skip
_ERRORS, _KINDS = ", ".join(f"'{name}'" for name in _CLASSES), len(_CLASSES)

#: Numbers n are tasks, four of them an analysis. One task in 200,000 is a weekly report, one in a thousand has a long
#: message. Of a hundred, one was given up.
TASKS = f"""
INSERT INTO tasks (task_id, node, task_name, queue_name, payload, status, created_at, started_at, completed_at, error,
    retry_count, result, worker, synced_at, deferrals, crashes, seq, parent_id, root_id)
SELECT id, node, actor, queue,
    '{{"queue_name":"' || queue || '","actor_name":"' || actor || '","args":["user-' || mod(n / 4, 5000)
        || '","s3://growbin/spool/' || n || CASE mod(n, 4) WHEN 0 THEN '","analysis-' || n / 4 ELSE '' END
        || '"],"kwargs":{{"client_id":' || mod(n, 900000)
        || CASE WHEN mod(n, 1000) = 7 THEN ',"text":"' || (SELECT string_agg(md5((n + x)::text), '') FROM
            generate_series(1, 600) AS x) || '"' ELSE '' END
        || '}},"options":{{}},"message_id":"' || id || '","message_timestamp":' || floor(extract(epoch FROM at) * 1000)
        || '}}',
    state, at, CASE WHEN mod(n, 997) <> 0 THEN began END, CASE WHEN state <> 'running' THEN began + run END,
    CASE WHEN state IN ('dead', 'failed') THEN (ARRAY[{_ERRORS}])[1 + mod(n / 4, {_KINDS})]
        || CASE mod(n / 4, 3) WHEN 0 THEN '' ELSE ': request ' || n || ' of ' || mod(n / 4, 5000) END END,
    0, CASE WHEN state = 'completed' THEN '{{"ok":true}}' END, 'w/' || mod(n, 4), at + run + interval '2 s', 0, 0, n,
    CASE WHEN mod(n, 4) <> 0 THEN md5((n - 1)::text)::uuid::text END,
    CASE WHEN mod(n, 4) <> 0 THEN md5((n / 4 * 4)::text)::uuid::text END
FROM (
    SELECT n, md5(n::text)::uuid::text AS id, 'node-' || mod(n, 7) AS node, at, at + wait * interval '2 s' AS began,
        run * interval '9 s' AS run,
        CASE WHEN mod(n, 200000) = 99 THEN 'reports.weekly' ELSE
            (ARRAY['upload_image', 'analyze_image', 'retrieve_rule', 'generate_response'])[1 + mod(n, 4)]
            END AS actor,
        CASE WHEN mod(n, 200000) = 99 THEN 'reports' ELSE
            (ARRAY['user_input', 'vision_analysis', 'rule_retrieval', 'response_generation'])[1 + mod(n, 4)]
            END AS queue,
        CASE WHEN roll < 0.985 THEN 'completed' WHEN roll < 0.995 THEN 'dead' WHEN roll < 0.9995 THEN 'failed'
            ELSE 'running' END AS state
    FROM (
        SELECT n, %(end)s::timestamptz - (%(count)s - n) * (%(span)s::interval / %(count)s) AS at,
            {_CHANCE.format(number="n", seed=1)} AS roll, {_CHANCE.format(number="n", seed=2)} AS wait,
            {_CHANCE.format(number="n", seed=3)} AS run
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    ) AS rolled
) AS task
"""

ATTEMPTS = """
INSERT INTO task_attempts (task_id, node, ended_at, outcome, task_name, queue_name, started_at, worker, error,
    retry_count, deferrals)
SELECT task_id, node, completed_at - interval '1 min' * (2 - run), CASE WHEN run = 2 THEN status ELSE 'failed' END,
    task_name, queue_name, started_at, worker, error, run, 0
FROM tasks CROSS JOIN generate_series(0, 2) AS run WHERE status IN ('dead', 'failed') AND seq >= %(first)s
"""

LETTERS = """
INSERT INTO dead_letters (id, node, letter, task_id, task_name, queue_name, body, code, params, error, traceback,
    died_at, seq)
SELECT task_id, node, 1, task_id, task_name, queue_name, convert_to(payload, 'UTF8'), 'retries_exhausted',
    '{"attempts": 3, "detail": "' || error || '"}', error,
    E'Traceback (most recent call last):\\n  File "/srv/app/src/' || task_name || '.py", line ' || mod(seq, 90)
        || ', in step_' || mod(seq / 4, 5) || E'\\n    await send(picture)\\n' || error || E'\\n', completed_at, 1
FROM tasks WHERE status = 'dead' AND seq >= %(first)s
"""

#: The causes of failed runs, as keepers find them, and how often each was seen in each minute and hour. In the order of
#: time, as keepers write them.
CAUSES = """
CREATE TEMPORARY TABLE caused AS
SELECT run.*, hashtextextended(concat_ws('|', task_name, code, class, place, title), 0) AS cause
FROM (
    SELECT a.task_id, a.node, a.ended_at, a.task_name, a.outcome, split_part(a.error, ':', 1) AS class,
        CASE WHEN a.error LIKE '%%:%%' THEN split_part(a.error, ':', 1) || ': request … of …' ELSE a.error END AS title,
        CASE a.outcome WHEN 'dead' THEN 'retries_exhausted' ELSE '' END AS code,
        CASE a.outcome WHEN 'dead' THEN a.task_name || '.py:step_' || mod(t.seq / 4, 5) ELSE '' END AS place
    FROM task_attempts a JOIN tasks t USING (task_id)
) AS run;
INSERT INTO error_causes SELECT cause, task_name, code, class, place, title, max(ended_at)
FROM caused GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO error_minutes SELECT date_trunc('hour', ended_at), date_trunc('minute', ended_at), cause, node, count(*),
    count(*) FILTER (WHERE outcome = 'dead'), min(ended_at), max(ended_at), max(task_id)
FROM caused WHERE ended_at < %(since)s GROUP BY 1, 2, 3, 4 ORDER BY 1, 2;
INSERT INTO error_hours SELECT hour, cause, node, sum(runs), sum(dead), min(first_at), max(last_at), max(sample)
FROM error_minutes WHERE hour < date_trunc('hour', %(since)s::timestamptz) GROUP BY 1, 2, 3 ORDER BY 1;
INSERT INTO error_days_due SELECT DISTINCT date_trunc('day', hour), date_trunc('day', hour) + interval '24 hours', 1
FROM error_hours;
INSERT INTO error_hours_due VALUES (date_trunc('hour', %(since)s::timestamptz), 1);
DROP TABLE caused
"""

#: Of one that was begun before, the rows of its last tasks come when a filled database goes on.
ANALYSES = f"""
INSERT INTO waste_analysis (id, user_id, status, category, item, state, confidence, vision_model, response,
    response_source, response_model, language, failed_stage, error_code, created_at, updated_at, completed_at)
SELECT 'analysis-' || n, 'user-' || mod(n, 5000), status, 'plastic', 'pet_bottle', 'dirty', 0.93, 'gpt-6-luna',
    '라벨을 떼고 헹군 뒤 압착해서 배출하세요.', 'model', 'gpt-6-luna', 'ko',
    CASE status WHEN 'failed' THEN 'vision' END, CASE status WHEN 'failed' THEN 'retries_exhausted' END, at,
    at + interval '9 s',
    CASE WHEN status = 'completed' THEN at + interval '9 s' END
FROM (
    SELECT n, %(end)s::timestamptz - (%(count)s - n * 4) * (%(span)s::interval / %(count)s) AS at,
        CASE WHEN {_CHANCE.format(number="n", seed=4)} < 0.98 THEN 'completed' ELSE 'failed' END AS status
    FROM generate_series(%(first)s / 4, %(last)s / 4) AS n
) AS analysis
ON CONFLICT DO NOTHING
"""

REQUESTS = """
INSERT INTO llm_usage (id, sent_at, day, node, purpose, analysis_id, user_id, message_id, attempt, model, outcome,
    billed, status, latency_ms, tokens_in, tokens_cached, tokens_reasoning, tokens_out, cost)
SELECT 'request-' || n, at, to_char(at AT TIME ZONE %(zone)s, 'YYYY-MM-DD'), 'node-' || mod(n, 7),
    CASE mod(n, 2) WHEN 0 THEN 'vision' ELSE 'text' END, 'analysis-' || n / 2,
    'user-' || mod(n / 2, 5000), md5((n * 2 + 1)::text)::uuid::text, 1, 'gpt-6-luna', 'answered', 'yes', 200,
    800 + mod(n, 8000), 900 + mod(n, 700), 600,
    120, 40 + mod(n, 360), 700 + mod(n, 3500)
FROM (
    SELECT n, %(end)s::timestamptz - (%(count)s - n * 2) * (%(span)s::interval / %(count)s) AS at
    FROM generate_series(%(first)s / 2, %(last)s / 2) AS n
) AS request
ON CONFLICT DO NOTHING
"""

DAYS = (
    "INSERT INTO llm_usage_sum SELECT day, model, purpose, user_id, count(*), 0, sum(tokens_in), sum(tokens_cached),"
    " sum(tokens_reasoning), sum(tokens_out), sum(cost) FROM llm_usage WHERE day < %(yesterday)s GROUP BY 1, 2, 3, 4",
    "INSERT INTO llm_usage_total SELECT day, model, purpose, sum(requests), sum(unpriced), sum(tokens_in),"
    " sum(tokens_cached), sum(tokens_reasoning), sum(tokens_out), sum(cost) FROM llm_usage_sum GROUP BY 1, 2, 3",
    "INSERT INTO llm_usage_tier SELECT day, '', sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached),"
    " sum(tokens_reasoning), sum(tokens_out), sum(cost) FROM llm_usage_total GROUP BY day",
    "INSERT INTO llm_usage_rolled SELECT day, sum(requests) FROM llm_usage_total GROUP BY day",
)

LEDGER = """
INSERT INTO schedule_ledger (job, due, state, message_id, revision, tzdata, data_since, data_until, not_before, done_by,
    covers_from, covers, manual, fence, sent_at, started_at, ended_at)
SELECT %(job)s, due, 'done', 'due-' || %(job)s || extract(epoch FROM due), 1, '2026a', due - %(every)s::interval, due,
    due, due + %(every)s::interval, due, 1, 0, 1, due, due, due + interval '2 s'
FROM generate_series(%(begin)s::timestamptz, %(end)s::timestamptz, %(every)s::interval) AS due
"""

#: What the settings promise where nobody says otherwise.
PROMISES = """
INSERT INTO limit_promise (name, since, most, window_seconds, origin)
SELECT name, extract(epoch FROM %(end)s::timestamptz - %(span)s::interval - interval '1 day'), most, 60, 'setting'
FROM (VALUES ('vision', 100), ('text', 200)) AS promised (name, most)
"""

WORKERS = """
INSERT INTO workers (node, group_name, version, pids, processes, threads, queues, running, unsynced, owed, lag,
    started_at, seen_at)
SELECT 'node-' || n, CASE mod(n, 2) WHEN 0 THEN 'storage' ELSE 'ai' END, '1.0.0', '[71, 72]', 2, 100,
    '["user_input", "vision_analysis"]', 12, 3, 0, 0.4, %(end)s::timestamptz - interval '5 h', %(end)s
FROM generate_series(0, 6) AS n
"""

#: Pods that came and went.
GONE = """
INSERT INTO workers (node, group_name, version, pids, processes, threads, queues, running, unsynced, owed, lag,
    started_at, seen_at, stopped_at)
SELECT 'pod-' || n, 'storage', '1.0.0', '[]', 0, 0, '["user_input"]', 0, mod(n, 3), 0, 0.4,
    %(end)s::timestamptz - interval '2 days', %(end)s::timestamptz - interval '1 day',
    %(end)s::timestamptz - interval '1 day'
FROM generate_series(1, 500) AS n
"""

MINUTES_DUE = (
    "INSERT INTO minutes_due (minute, touched) SELECT DISTINCT date_trunc('minute', at), 1 FROM"
    " (SELECT completed_at AS at FROM tasks WHERE completed_at > %(since)s AND completed_at < %(now)s"
    " UNION ALL SELECT ended_at FROM task_attempts WHERE ended_at > %(since)s AND ended_at < %(now)s) AS ended"
    " ON CONFLICT DO NOTHING"
)

QUEUE_MINUTES = """
INSERT INTO queue_minutes SELECT minute, queue, 20 + extract(minute FROM minute), 4, 2, 0, 3.5
FROM generate_series(date_trunc('minute', %(since)s::timestamptz), %(now)s, interval '1 min') AS minute,
    unnest(ARRAY['user_input', 'vision_analysis', 'rule_retrieval', 'response_generation']) AS queue
ON CONFLICT DO NOTHING
"""
