-- What people do to tasks: messages that run again under a new id, and jobs that do one thing to many. A decision about
-- a dead letter may have its effect later, so that it can be taken back until then.
CREATE TABLE task_reruns (
    task_id $text NOT NULL PRIMARY KEY,
    rerun_of $text NOT NULL,
    number $bigint NOT NULL,
    kind $text NOT NULL,
    task_name $text NOT NULL,
    queue_name $text NOT NULL,
    body $bytes NOT NULL,
    due_at $time,
    by $text NOT NULL,
    reason $text NOT NULL,
    at $time NOT NULL,
    carried_by $text,
    sent_at $time
);
CREATE UNIQUE INDEX task_reruns_rerun_of_number ON task_reruns (rerun_of, number);
CREATE INDEX task_reruns_at ON task_reruns (at) WHERE sent_at IS NULL;

ALTER TABLE dead_letters ADD COLUMN effect_at $time;

-- Times are seconds by the clock of the database: leases and paces are counted by one clock.
CREATE TABLE bulk_jobs (
    id $text NOT NULL PRIMARY KEY,
    name $text NOT NULL,
    verb $text NOT NULL,
    filter $json NOT NULL,
    preview $json NOT NULL,
    by $text NOT NULL,
    reason $text NOT NULL,
    state $text NOT NULL,
    pace $double,
    created_at $double NOT NULL,
    begins_at $double,
    next_at $double,
    stopped_by $text,
    ended_at $double,
    leased_by $text,
    leased_until $double NOT NULL
);
CREATE INDEX bulk_jobs_created_at ON bulk_jobs (created_at);

CREATE TABLE bulk_items (
    job_id $text NOT NULL,
    target $text NOT NULL,
    state $text NOT NULL,
    problem $text,
    PRIMARY KEY (job_id, target)
);
CREATE INDEX bulk_items_job_id_state ON bulk_items (job_id, state);
