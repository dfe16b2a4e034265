-- How far a task says that it is, while it runs: its latest word.
CREATE TABLE task_progress (
    task_id $text NOT NULL PRIMARY KEY,
    node $text NOT NULL,
    fraction $double NOT NULL,
    words $text NOT NULL,
    at $time NOT NULL
);
CREATE INDEX task_progress_at ON task_progress (at);

-- Which actors the workers of a node know.
CREATE TABLE worker_actors (
    node $text NOT NULL,
    group_name $text NOT NULL,
    actors $json NOT NULL,
    seen_at $time NOT NULL,
    PRIMARY KEY (node, group_name)
);
