-- Who did or saw what: each row holds the hash of the one before. audit_chain has at most one row: where the chain begins and ends.
CREATE TABLE audit (
    number $bigint NOT NULL PRIMARY KEY,
    at $text NOT NULL,
    who $text NOT NULL,
    role $text NOT NULL,
    address $text NOT NULL,
    action $text NOT NULL,
    target $text NOT NULL,
    whose $text NOT NULL,
    reason $text NOT NULL,
    details $text NOT NULL,
    before $text NOT NULL,
    hash $text NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_who ON audit (who, number);
CREATE INDEX audit_whose ON audit (whose, number);
CREATE TABLE audit_chain (
    id $bigint NOT NULL PRIMARY KEY,
    first $bigint NOT NULL,
    first_before $text NOT NULL,
    last $bigint NOT NULL,
    last_hash $text NOT NULL
);
