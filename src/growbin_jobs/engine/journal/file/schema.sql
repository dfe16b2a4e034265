-- Schema 1 of the node's journal. Times are seconds since 1970, UTC; JSON is text.

CREATE TABLE task_wal (
    task_id      TEXT    NOT NULL PRIMARY KEY,
    task_name    TEXT    NOT NULL,
    queue_name   TEXT    NOT NULL,
    payload      TEXT    NOT NULL,
    status       TEXT    NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed', 'dead')),
    delivery_tag INTEGER,
    created_at   REAL    NOT NULL,
    started_at   REAL,
    completed_at REAL,
    error        TEXT,
    retry_count  INTEGER NOT NULL DEFAULT 0,
    result       TEXT,
    worker       TEXT,
    synced_at    REAL,                           -- NULL: the central database does not have it as it is
    deferrals    INTEGER NOT NULL DEFAULT 0,
    crashes      INTEGER NOT NULL DEFAULT 0,     -- starts since the last end that took the process with them
    lone_crashes INTEGER NOT NULL DEFAULT 0,     -- those of them in which it ran alone in its process
    due_at       REAL,                           -- of the retry
    seq          INTEGER NOT NULL                -- number of its last change; grows over all tasks
) STRICT;

CREATE INDEX task_by_status ON task_wal (status, created_at);
CREATE INDEX task_unsynced ON task_wal (seq) WHERE synced_at IS NULL;

-- Counting ten million rows takes seconds.
CREATE TABLE task_count (
    status TEXT    NOT NULL PRIMARY KEY,
    n      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO task_count VALUES ('pending', 0), ('running', 0), ('completed', 0), ('failed', 0), ('dead', 0);

CREATE TRIGGER task_added AFTER INSERT ON task_wal BEGIN
    UPDATE task_count SET n = n + 1 WHERE status = NEW.status;
END;
CREATE TRIGGER task_removed AFTER DELETE ON task_wal BEGIN
    UPDATE task_count SET n = n - 1 WHERE status = OLD.status;
END;
CREATE TRIGGER task_moved AFTER UPDATE OF status ON task_wal WHEN OLD.status <> NEW.status BEGIN
    UPDATE task_count SET n = n - 1 WHERE status = OLD.status;
    UPDATE task_count SET n = n + 1 WHERE status = NEW.status;
END;

-- Numbers changes and debts. It starts at the microsecond of creation, so that a file that replaces a lost one repeats none.
CREATE TABLE change_number (seq INTEGER NOT NULL) STRICT;
INSERT INTO change_number VALUES (CAST(unixepoch('subsec') * 1000000 AS INTEGER));

-- Messages owed to the broker: made by a task (parent_id), or accepted from a producer while the broker was away.
CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY,               -- publishing order; names the debt when it is paid
    message_id TEXT    NOT NULL,
    parent_id  TEXT,
    task_name  TEXT    NOT NULL,
    queue_name TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    due_at     REAL,
    ordinal    INTEGER NOT NULL,
    created_at REAL    NOT NULL
) STRICT;

CREATE INDEX outbox_of_task ON outbox (parent_id) WHERE parent_id IS NOT NULL;
CREATE UNIQUE INDEX outbox_accepted ON outbox (message_id) WHERE parent_id IS NULL;

-- One relay publishes at a time, so that messages leave in the order in which they were accepted.
CREATE TABLE relay_lease (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    claimant TEXT NOT NULL,
    until    REAL NOT NULL
) STRICT;

CREATE TABLE dead_letter (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id      TEXT    NOT NULL,
    actor        TEXT    NOT NULL,
    queue        TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    code         TEXT    NOT NULL,
    params       TEXT    NOT NULL,                -- JSON, for the reason's sentence
    error        TEXT    NOT NULL,
    traceback    TEXT    NOT NULL,
    died_at      REAL    NOT NULL,
    retried_at   REAL,
    discarded_at REAL
) STRICT;

CREATE UNIQUE INDEX dead_letter_open ON dead_letter (task_id) WHERE retried_at IS NULL AND discarded_at IS NULL;

CREATE TABLE retry_queue (
    task_id       TEXT    NOT NULL PRIMARY KEY,
    retry_count   INTEGER NOT NULL,
    next_retry_at REAL    NOT NULL,
    error         TEXT,
    payload       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Ledgers of starts whose dead owner was charged; see starts.py.
CREATE TABLE charged_ledger (
    name       TEXT NOT NULL PRIMARY KEY,
    charged_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_log (
    id        INTEGER PRIMARY KEY,
    task_id   TEXT    NOT NULL,
    synced_at REAL    NOT NULL,
    status    TEXT    NOT NULL CHECK (status IN ('success', 'failed')),
    error     TEXT
) STRICT;

CREATE TABLE file_cache (
    key        TEXT    NOT NULL PRIMARY KEY,
    file_path  TEXT    NOT NULL,
    size       INTEGER NOT NULL,                  -- bytes
    created_at REAL    NOT NULL,
    ttl        REAL    NOT NULL                   -- seconds
) STRICT, WITHOUT ROWID;

CREATE INDEX file_cache_expiry ON file_cache (created_at + ttl);

CREATE TABLE IF NOT EXISTS gpt_cache (
    cache_key  TEXT PRIMARY KEY,
    prompt     TEXT NOT NULL,               -- its version, never the picture
    response   TEXT NOT NULL,               -- JSON
    model      TEXT NOT NULL,
    created_at REAL NOT NULL,
    ttl        REAL NOT NULL DEFAULT 3600   -- seconds
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS gpt_cache_expiry ON gpt_cache (created_at + ttl);

CREATE TABLE rate_limit_log (
    timestamp REAL    NOT NULL,
    api       TEXT    NOT NULL,
    count     INTEGER NOT NULL
) STRICT;
