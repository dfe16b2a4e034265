-- Schema 1 of the embedded broker's file. Times are milliseconds since 1970, UTC.

CREATE TABLE message (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT, -- names a row for good: never given out twice
    id         TEXT    NOT NULL,                  -- Dramatiq's message_id
    queue      TEXT    NOT NULL,
    priority   INTEGER NOT NULL,                  -- the lower number goes first
    due        INTEGER NOT NULL,                  -- not delivered before; orders messages of one priority
    state      TEXT    NOT NULL CHECK (state IN ('delayed', 'ready', 'claimed')),
    owner      TEXT,                              -- the process that has it
    consumer   TEXT,                              -- its consumer
    deliveries INTEGER NOT NULL DEFAULT 0,
    body       BLOB    NOT NULL,
    since      INTEGER,                           -- when its delay began; NULL: it had none, or a version before put it
    CHECK ((state = 'claimed') = (owner IS NOT NULL) AND (state = 'claimed') = (consumer IS NOT NULL))
) STRICT;

-- One message of an id waits in a queue. A claimed one does not count: while it runs, its own retry is sent.
CREATE UNIQUE INDEX message_waits_once ON message (queue, id) WHERE state <> 'claimed';
CREATE INDEX message_ready ON message (queue, priority, due, seq) WHERE state = 'ready';
CREATE INDEX message_delayed ON message (queue, due) WHERE state = 'delayed';
CREATE INDEX message_claimed ON message (owner, consumer, queue) WHERE state = 'claimed';

CREATE TABLE dead_letter (
    seq        INTEGER PRIMARY KEY,               -- what it had as a message
    id         TEXT    NOT NULL,
    queue      TEXT    NOT NULL,
    priority   INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    died_at    INTEGER NOT NULL,
    body       BLOB    NOT NULL
) STRICT;

CREATE INDEX dead_letter_by_queue ON dead_letter (queue, seq);
