-- The agent platform's own facts. A line that begins with $postgresql is for PostgreSQL alone.
CREATE TABLE users (
    id $text NOT NULL PRIMARY KEY,
    created_at $time NOT NULL,
    deleted_at $time
);
-- Append-only: "active that day" is counted here, since a last login is overwritten by the next one.
CREATE TABLE logins (
    id $text NOT NULL PRIMARY KEY,
    user_id $text NOT NULL,
    at $time NOT NULL
);
CREATE INDEX logins_at ON logins (at, user_id);
CREATE INDEX logins_user_id ON logins (user_id);
CREATE TABLE agents (
    id $text NOT NULL PRIMARY KEY,
    name $text NOT NULL,
    endpoint $text NOT NULL,
    created_at $time NOT NULL,
    deleted_at $time
);
-- Append-only: which stage an agent was in at a time is its latest row before that.
CREATE TABLE agent_stages (
    id $text NOT NULL PRIMARY KEY,
    agent_id $text NOT NULL,
    stage $text NOT NULL,
    at $time NOT NULL
);
CREATE INDEX agent_stages_agent_id ON agent_stages (agent_id, at);
-- key_ref names the place of a key, never the key; the key is sent to key_host only.
CREATE TABLE llm_models (
    id $text NOT NULL PRIMARY KEY,
    name $text NOT NULL,
    base_url $text NOT NULL,
    key_ref $text,
    key_host $text,
    paid_probe $bigint NOT NULL,
    created_at $time NOT NULL,
    deleted_at $time
);
CREATE TABLE sessions (
    id $text NOT NULL PRIMARY KEY,
    user_id $text NOT NULL,
    started_at $time NOT NULL,
    ended_at $time
);
CREATE INDEX sessions_started_at ON sessions (started_at);
CREATE INDEX sessions_ended_at ON sessions (ended_at);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE TABLE logs (
    id $text NOT NULL,
    at $time NOT NULL,
    level $text NOT NULL,
    source $text NOT NULL,
    message $text NOT NULL,
    user_id $text,
    PRIMARY KEY (id, at)
)
$postgresql PARTITION BY RANGE (at)
;
CREATE INDEX logs_at ON logs (at);
CREATE INDEX logs_user_id ON logs (user_id);
$postgresql CREATE TABLE logs_default PARTITION OF logs DEFAULT;
-- cost is in micro-dollars; NULL: the price is not known.
CREATE TABLE api_calls (
    id $text NOT NULL,
    at $time NOT NULL,
    user_id $text,
    model $text,
    purpose $text,
    status $bigint NOT NULL,
    latency_ms $bigint NOT NULL,
    tokens_in $bigint,
    tokens_out $bigint,
    cost $bigint,
    PRIMARY KEY (id, at)
)
$postgresql PARTITION BY RANGE (at)
;
CREATE INDEX api_calls_at ON api_calls (at);
CREATE INDEX api_calls_user_id ON api_calls (user_id);
CREATE INDEX api_calls_model ON api_calls (model, at);
$postgresql CREATE TABLE api_calls_default PARTITION OF api_calls DEFAULT;
