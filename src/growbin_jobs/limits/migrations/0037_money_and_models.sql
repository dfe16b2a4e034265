-- Up to where reservations of a budget on a day need not wait for the disk, in micro-dollars: this row did. server: which
-- start of the database's server, or of the machine, it holds for (growbin_jobs.limits.budget_cover).
CREATE TABLE budget_cover (
    name $text NOT NULL,
    day $text NOT NULL,
    covered $bigint NOT NULL,
    server $text NOT NULL,
    PRIMARY KEY (name, day)
);
