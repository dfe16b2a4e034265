-- Schema 3: what the central database has of attempts and dead letters, and the messages that the broker has taken over.
-- It only adds. The triggers number changes of dead letters whichever release makes them.

-- Not synced_at, as in task_wal: statements of the release before join the two and name it alone.
ALTER TABLE attempt ADD COLUMN copied_at REAL;   -- NULL: the central database does not have it
CREATE INDEX attempt_unsynced ON attempt (id) WHERE copied_at IS NULL;

ALTER TABLE dead_letter ADD COLUMN seq INTEGER;  -- number of its last change
ALTER TABLE dead_letter ADD COLUMN copied_at REAL;
UPDATE dead_letter SET seq = id;
CREATE INDEX dead_letter_unsynced ON dead_letter (seq) WHERE copied_at IS NULL;

CREATE TRIGGER dead_letter_added AFTER INSERT ON dead_letter BEGIN
    UPDATE change_number SET seq = seq + 1;
    UPDATE dead_letter SET seq = (SELECT seq FROM change_number) WHERE id = NEW.id;
END;
CREATE TRIGGER dead_letter_changed AFTER UPDATE OF body, code, error, died_at, retried_at, discarded_at ON dead_letter BEGIN
    UPDATE change_number SET seq = seq + 1;
    UPDATE dead_letter SET seq = (SELECT seq FROM change_number), copied_at = NULL WHERE id = NEW.id;
END;

-- Messages that the broker has confirmed, until the central database has them: who sent them, and when they are due.
CREATE TABLE sent (
    seq        INTEGER PRIMARY KEY,               -- what it had in the outbox
    message_id TEXT    NOT NULL,
    parent_id  TEXT,                              -- the task that sent it; NULL: a producer
    task_name  TEXT    NOT NULL,
    queue_name TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    due_at     REAL,
    created_at REAL    NOT NULL
) STRICT;
