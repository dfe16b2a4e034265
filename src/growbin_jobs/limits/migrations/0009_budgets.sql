-- Money of paid requests, in micro-dollars. budget: caps that were set at run time; cap NULL: none.
CREATE TABLE budget (
    name $text NOT NULL PRIMARY KEY,
    cap $bigint,
    changed_at $double NOT NULL
);
-- The totals of one budget on one day: reserved = settled + released + unknown + what is open.
CREATE TABLE budget_day (
    name $text NOT NULL,
    day $text NOT NULL,
    cap $bigint,
    reserved $bigint NOT NULL,
    settled $bigint NOT NULL,
    released $bigint NOT NULL,
    unknown $bigint NOT NULL,
    told $bigint NOT NULL,
    PRIMARY KEY (name, day)
);
-- Each reservation in each of its budgets: the other side of the books. Moments are seconds since 1970.
CREATE TABLE budget_entry (
    id $text NOT NULL,
    name $text NOT NULL,
    day $text NOT NULL,
    state $text NOT NULL,
    amount $bigint NOT NULL,
    settled $bigint NOT NULL,
    usage_id $text,
    expires_at $double NOT NULL,
    PRIMARY KEY (id, name)
);
CREATE INDEX budget_entry_open ON budget_entry (state, expires_at);
CREATE INDEX budget_entry_day ON budget_entry (day, name);
