-- Who has paused and resumed which queue or actor: control has only what holds now.
CREATE TABLE control_history (
    version $bigint NOT NULL PRIMARY KEY,
    target $text NOT NULL,
    name $text NOT NULL,
    action $text NOT NULL,
    by $text NOT NULL,
    reason $text NOT NULL,
    at $time NOT NULL,
    until $time
);
CREATE INDEX control_history_at ON control_history (at);
