-- What people have told all nodes: queues and actors that are paused, messages that are revoked or aborted.
-- Every change of a row takes the next version; a node that has seen the latest one has nothing to read.
CREATE TABLE control (
    target $text NOT NULL,
    name $text NOT NULL,
    action $text NOT NULL,
    by $text NOT NULL,
    reason $text NOT NULL,
    at $time NOT NULL,
    until $time,
    version $bigint NOT NULL,
    PRIMARY KEY (target, name)
);

CREATE TABLE control_version (
    id $bigint NOT NULL PRIMARY KEY,
    version $bigint NOT NULL
);
