-- Answers of models that all nodes share for a while, and who asks for one that is not there yet. Moments are seconds
-- since 1970 on the database's clock.
CREATE TABLE model_answer (
    key $text NOT NULL PRIMARY KEY,
    fence $bigint NOT NULL,
    leased_until $double NOT NULL,
    expires_at $double NOT NULL,
    prompt $text,
    response $text,
    model $text
);
CREATE INDEX model_answer_expires_at ON model_answer (expires_at);
