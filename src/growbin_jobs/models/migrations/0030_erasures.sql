-- What was erased about one person: hashes, numbers and times only, so that late rows are known and the record may stay.
CREATE TABLE erasure (
    id $text NOT NULL PRIMARY KEY,
    subject_hash $text NOT NULL,
    asked_at $time NOT NULL,
    asked_by $text NOT NULL,
    reason $text NOT NULL,
    pseudonym $text,
    done_at $time
);
CREATE INDEX erasure_subject ON erasure (subject_hash, asked_at);
-- hash: of the user's id or of one of the user's analyses.
CREATE TABLE erasure_ref (
    erasure_id $text NOT NULL,
    hash $text NOT NULL,
    PRIMARY KEY (erasure_id, hash)
);
CREATE TABLE erasure_count (
    erasure_id $text NOT NULL,
    source $text NOT NULL,
    things $bigint NOT NULL,
    PRIMARY KEY (erasure_id, source)
);
-- Nodes whose journals were looked through for so many refs, and found empty.
CREATE TABLE erasure_node (
    erasure_id $text NOT NULL,
    node $text NOT NULL,
    refs $bigint NOT NULL,
    at $time NOT NULL,
    PRIMARY KEY (erasure_id, node)
);
-- Objects that nothing points at any more, until they are deleted.
CREATE TABLE erasure_object (
    erasure_id $text NOT NULL,
    object_key $text NOT NULL,
    PRIMARY KEY (erasure_id, object_key)
);
ALTER TABLE waste_analysis ADD COLUMN erased_at $time;
