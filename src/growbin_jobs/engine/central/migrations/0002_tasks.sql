-- The journals of all nodes, and who runs them. JSON that is only shown is text: copied as it is, refused never.
CREATE TABLE tasks (
    task_id $text NOT NULL PRIMARY KEY,
    node $text NOT NULL,
    task_name $text NOT NULL,
    queue_name $text NOT NULL,
    payload $text NOT NULL,
    status $text NOT NULL,
    delivery_tag $bigint,
    created_at $time NOT NULL,
    started_at $time,
    completed_at $time,
    error $text,
    retry_count $bigint NOT NULL,
    result $text,
    worker $text,
    synced_at $time NOT NULL,
    deferrals $bigint NOT NULL,
    crashes $bigint NOT NULL,
    due_at $time,
    seq $bigint NOT NULL
);
CREATE INDEX tasks_status_created_at ON tasks (status, created_at);
CREATE INDEX tasks_created_at ON tasks (created_at);

CREATE TABLE workers (
    node $text NOT NULL,
    group_name $text NOT NULL,
    version $text NOT NULL,
    pids $json NOT NULL,
    processes $bigint NOT NULL,
    threads $bigint NOT NULL,
    queues $json NOT NULL,
    running $bigint NOT NULL,
    unsynced $bigint NOT NULL,
    owed $bigint NOT NULL,
    lag $double NOT NULL,
    started_at $time NOT NULL,
    seen_at $time NOT NULL,
    stopped_at $time,
    PRIMARY KEY (node, group_name)
);
