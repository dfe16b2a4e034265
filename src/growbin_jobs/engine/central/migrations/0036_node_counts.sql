-- What the processes of each node have counted since its folder was made: one row for each node, replaced as a whole.
CREATE TABLE node_counts (
    node $text NOT NULL PRIMARY KEY,
    counts $json NOT NULL,
    seen_at $time NOT NULL
);
