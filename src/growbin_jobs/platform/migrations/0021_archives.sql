-- Rows that left a table, as JSONL.gz in the object store. state: written, verified, deleted (the rows are gone).
CREATE TABLE archives (
    id $text NOT NULL PRIMARY KEY,
    source $text NOT NULL,
    object_key $text NOT NULL,
    first_at $time NOT NULL,
    last_at $time NOT NULL,
    row_count $bigint NOT NULL,
    size $bigint NOT NULL,
    sha256 $text NOT NULL,
    state $text NOT NULL,
    created_at $time NOT NULL,
    deleted_at $time,
    proven_at $time,
    proven $bigint,
    restored_at $time
);
CREATE INDEX archives_source ON archives (source, first_at);
