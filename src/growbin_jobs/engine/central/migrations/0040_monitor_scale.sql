-- Failed runs counted by their cause: of each minute, and of each hour that is over, by node. The figures are computed
-- anew with those of task_minutes, so that late copies are in them; an hour is the sum of its minutes.
CREATE TABLE error_causes (
    cause $bigint NOT NULL PRIMARY KEY,
    task_name $text NOT NULL,
    code $text NOT NULL,
    error_class $text NOT NULL,
    place $text NOT NULL,
    title $text NOT NULL,
    seen_at $time NOT NULL
);

CREATE TABLE error_minutes (
    hour $time NOT NULL,
    minute $time NOT NULL,
    cause $bigint NOT NULL,
    node $text NOT NULL,
    runs $bigint NOT NULL,
    dead $bigint NOT NULL,
    first_at $time NOT NULL,
    last_at $time NOT NULL,
    sample $text NOT NULL,
    PRIMARY KEY (hour, minute, cause, node)
);

CREATE TABLE error_hours (
    hour $time NOT NULL,
    cause $bigint NOT NULL,
    node $text NOT NULL,
    runs $bigint NOT NULL,
    dead $bigint NOT NULL,
    first_at $time NOT NULL,
    last_at $time NOT NULL,
    sample $text NOT NULL,
    PRIMARY KEY (hour, cause, node)
);

-- A note for each hour of which a minute was computed since the hour was.
CREATE TABLE error_hours_due (
    hour $time NOT NULL PRIMARY KEY,
    touched $bigint NOT NULL
);

-- Minutes of before with failures are computed once more.
INSERT INTO minutes_due (minute, touched)
SELECT DISTINCT minute, 1 FROM task_minutes WHERE outcome IN ('failed', 'dead', 'crashed')
ON CONFLICT DO NOTHING;

-- Nearly every task ends as completed, and an entry for each was a quarter of what PostgreSQL takes to insert it. Those
-- are found by tasks_created_at. SQLite takes a partial index only where a statement repeats its condition.
$postgresql DROP INDEX tasks_status_created_at;
$postgresql CREATE INDEX tasks_status_created_at ON tasks (status, created_at) WHERE status <> 'completed';
