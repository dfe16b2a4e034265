-- Rehearsals: past pictures through another model; nothing of them is in the results.
CREATE TABLE model_rehearsal (
    id $text NOT NULL PRIMARY KEY,
    at $time NOT NULL,
    model $text NOT NULL,
    verdict $text NOT NULL,
    pictures $bigint NOT NULL,
    agreement $double NOT NULL,
    report $json NOT NULL
);
CREATE INDEX model_rehearsal_model ON model_rehearsal (model, at);
