-- Schema 2: the runs of a task that came to nothing. The task's own row has its last run only.

CREATE TABLE attempt (
    id          INTEGER PRIMARY KEY,              -- the order in which they ended
    task_id     TEXT    NOT NULL,
    outcome     TEXT    NOT NULL CHECK (outcome IN ('failed', 'deferred', 'dead', 'crashed')),
    started_at  REAL,                             -- of a crash, and NULL as all below: nobody saw that run's start
    ended_at    REAL    NOT NULL,                 -- of a crash: when it was found
    worker      TEXT,
    error       TEXT,
    retry_count INTEGER,
    deferrals   INTEGER,
    due_at      REAL                              -- of the run that follows
) STRICT;

CREATE INDEX attempt_of_task ON attempt (task_id);

-- A message may be put off for a day. A trigger, since a statement of its own would wait for Python's lock.
CREATE TRIGGER attempt_added AFTER INSERT ON attempt BEGIN
    DELETE FROM attempt WHERE id IN (
        SELECT id FROM attempt WHERE task_id = NEW.task_id ORDER BY id DESC LIMIT -1 OFFSET 100
    );
END;
