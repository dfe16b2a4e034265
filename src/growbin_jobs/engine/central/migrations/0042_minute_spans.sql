-- Figures of five minutes, the sums of task_minutes: a page of hours reads these. A note for each span of which a minute
-- was computed since the span was; of such a span its minutes are read.
CREATE TABLE task_spans (
    span $time NOT NULL,
    queue_name $text NOT NULL,
    task_name $text NOT NULL,
    outcome $text NOT NULL,
    runs $bigint NOT NULL,
    waits $bigint NOT NULL,
    wait_seconds $double NOT NULL,
    run_seconds $double NOT NULL,
    wait_buckets $json NOT NULL,
    run_buckets $json NOT NULL,
    PRIMARY KEY (span, queue_name, task_name, outcome)
);

CREATE TABLE task_spans_due (
    span $time NOT NULL PRIMARY KEY,
    ends $time NOT NULL,
    touched $bigint NOT NULL
);

-- Spans of before are computed too.
$postgresql INSERT INTO task_spans_due SELECT DISTINCT span, span + interval '5 minutes', 1 FROM (SELECT to_timestamp(floor(extract(epoch FROM minute) / 300) * 300) AS span FROM task_minutes) AS known;
$sqlite INSERT INTO task_spans_due SELECT DISTINCT replace(datetime(span, 'unixepoch'), ' ', 'T') || '.000000+00:00', replace(datetime(span + 300, 'unixepoch'), ' ', 'T') || '.000000+00:00', 1 FROM (SELECT unixepoch(minute) / 300 * 300 AS span FROM task_minutes);
