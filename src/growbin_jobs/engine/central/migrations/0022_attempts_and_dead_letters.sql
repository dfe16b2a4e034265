-- What the journals know beside a task's last word: runs that came to nothing, dead letters with their messages, and who
-- sent what. A task that the broker has and that nobody has started is a row of tasks too, as pending.
CREATE TABLE task_attempts (
    task_id $text NOT NULL,
    node $text NOT NULL,
    ended_at $time NOT NULL,
    outcome $text NOT NULL,
    task_name $text NOT NULL,
    queue_name $text NOT NULL,
    started_at $time,
    worker $text,
    error $text,
    retry_count $bigint,
    deferrals $bigint,
    due_at $time,
    waited $double,
    PRIMARY KEY (task_id, node, ended_at, outcome)
);
CREATE INDEX task_attempts_ended_at ON task_attempts (ended_at);

CREATE TABLE dead_letters (
    id $text NOT NULL PRIMARY KEY,
    node $text NOT NULL,
    letter $bigint NOT NULL,
    task_id $text NOT NULL,
    task_name $text NOT NULL,
    queue_name $text NOT NULL,
    body $bytes NOT NULL,
    code $text NOT NULL,
    params $text NOT NULL,
    error $text NOT NULL,
    traceback $text NOT NULL,
    died_at $time NOT NULL,
    retried_at $time,
    discarded_at $time,
    seq $bigint NOT NULL,
    taken_by $text,
    taken_at $time,
    taken_to $text,
    carried_by $text,
    done_at $time
);
CREATE INDEX dead_letters_died_at ON dead_letters (died_at, id);
CREATE INDEX dead_letters_task_id ON dead_letters (task_id);
CREATE INDEX dead_letters_taken ON dead_letters (taken_at) WHERE taken_by IS NOT NULL AND done_at IS NULL;

ALTER TABLE tasks ADD COLUMN parent_id $text;
ALTER TABLE tasks ADD COLUMN root_id $text;
CREATE INDEX tasks_root_id ON tasks (root_id) WHERE root_id IS NOT NULL;
