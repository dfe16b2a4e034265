-- Paid calls in batches: what is to be asked, the messages that wait for the answers, and the batches at the server.
-- Moments are seconds since 1970 on the database's clock.
CREATE TABLE model_batch (
    id $text NOT NULL PRIMARY KEY,
    model $text NOT NULL,
    state $text NOT NULL,
    outcome $text,
    problem $text,
    server_id $text,
    server_status $text,
    input_file $text,
    output_file $text,
    error_file $text,
    requests $bigint NOT NULL,
    tokens $bigint NOT NULL,
    answered $bigint NOT NULL,
    standard $bigint NOT NULL,
    cancelled_by $text,
    looks $bigint NOT NULL,
    fence $bigint NOT NULL,
    leased_until $double NOT NULL,
    next_at $double NOT NULL,
    made_at $double NOT NULL,
    sent_at $double,
    ended_at $double
);
CREATE INDEX model_batch_next_at ON model_batch (state, next_at);
-- One row for each answer, by the key of model_answer. id: of the request, in the batch, in llm_usage and in the budgets'
-- books; a question that is put down again after its end, or waits for another batch, gets a new one.
CREATE TABLE model_batch_question (
    key $text NOT NULL PRIMARY KEY,
    id $text NOT NULL,
    purpose $text NOT NULL,
    model $text NOT NULL,
    prompt $text NOT NULL,
    asks $text NOT NULL,
    state $text NOT NULL,
    batch_id $text,
    put_at $double NOT NULL
);
CREATE UNIQUE INDEX model_batch_question_id ON model_batch_question (id);
CREATE INDEX model_batch_question_state ON model_batch_question (state, model, put_at);
CREATE INDEX model_batch_question_batch ON model_batch_question (batch_id, state);
-- back_at: when the message was sent again. why: NULL with the answer, else why it is asked in the standard tier.
CREATE TABLE model_batch_waiter (
    message_id $text NOT NULL PRIMARY KEY,
    key $text NOT NULL,
    analysis_id $text,
    user_id $text,
    attempt $bigint,
    body $text NOT NULL,
    put_at $double NOT NULL,
    back_at $double,
    batch_id $text,
    why $text
);
CREATE INDEX model_batch_waiter_key ON model_batch_waiter (key);
CREATE INDEX model_batch_waiter_analysis ON model_batch_waiter (analysis_id);
-- In which price tier an analysis was last asked, where somebody asked for one: batch; or standard, and why.
ALTER TABLE waste_analysis ADD COLUMN tier $text;
ALTER TABLE waste_analysis ADD COLUMN tier_reason $text;
