-- The schedule of periodic jobs: what was due, and what became of it. All moments are by the database's clock.
CREATE TABLE schedule_state (
    job $text NOT NULL PRIMARY KEY,
    revision $bigint NOT NULL,
    planned_until $time NOT NULL,
    paused_at $time,
    paused_until $time,
    paused_by $text,
    pause_reason $text,
    removed_at $time
);
CREATE TABLE schedule_revision (
    job $text NOT NULL,
    number $bigint NOT NULL,
    rule $text NOT NULL,
    zone $text NOT NULL,
    since $time NOT NULL,
    until $time,
    PRIMARY KEY (job, number)
);
CREATE TABLE schedule_ledger (
    job $text NOT NULL,
    due $time NOT NULL,
    state $text NOT NULL,
    message_id $text NOT NULL,
    revision $bigint NOT NULL,
    tzdata $text NOT NULL,
    data_since $time NOT NULL,
    data_until $time NOT NULL,
    not_before $time NOT NULL,
    done_by $time NOT NULL,
    covers_from $time NOT NULL,
    covers $bigint NOT NULL,
    manual $bigint NOT NULL,
    fence $bigint NOT NULL,
    claimed_by $text,
    claimed_until $time,
    sent_at $time,
    started_at $time,
    ended_at $time,
    reason $text,
    PRIMARY KEY (job, due)
);
CREATE INDEX schedule_ledger_state_due ON schedule_ledger (state, due);
CREATE TABLE job_run (
    job $text NOT NULL,
    due $time NOT NULL,
    holder $text NOT NULL,
    fence $bigint NOT NULL,
    held_until $time NOT NULL,
    taken_at $time NOT NULL,
    done_at $time,
    effects $bigint NOT NULL,
    PRIMARY KEY (job, due)
);
CREATE TABLE scheduler_process (
    id $text NOT NULL PRIMARY KEY,
    node $text NOT NULL,
    version $text NOT NULL,
    started_at $time NOT NULL,
    seen_at $time NOT NULL
);
