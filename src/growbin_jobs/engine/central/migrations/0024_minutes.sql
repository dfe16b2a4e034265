-- Figures of each minute, computed from tasks and task_attempts; a note for each minute that is to be computed anew.
CREATE TABLE task_minutes (
    minute $time NOT NULL,
    queue_name $text NOT NULL,
    task_name $text NOT NULL,
    outcome $text NOT NULL,
    runs $bigint NOT NULL,
    waits $bigint NOT NULL,
    wait_seconds $double NOT NULL,
    run_seconds $double NOT NULL,
    wait_buckets $json NOT NULL,
    run_buckets $json NOT NULL,
    PRIMARY KEY (minute, queue_name, task_name, outcome)
);

CREATE TABLE minutes_due (
    minute $time NOT NULL PRIMARY KEY,
    touched $bigint NOT NULL
);

CREATE TABLE queue_minutes (
    minute $time NOT NULL,
    queue_name $text NOT NULL,
    ready $bigint NOT NULL,
    claimed $bigint,
    delayed $bigint,
    dead $bigint NOT NULL,
    oldest $double,
    PRIMARY KEY (minute, queue_name)
);

CREATE INDEX tasks_completed_at ON tasks (completed_at);
