-- Up to where reservations of a budget on a day need not wait for the disk, in micro-dollars: this row did. server: which
-- start of the database's server, or of the machine, it holds for (growbin_jobs.limits.budget_cover).
CREATE TABLE budget_cover (
    name $text NOT NULL,
    day $text NOT NULL,
    covered $bigint NOT NULL,
    server $text NOT NULL,
    PRIMARY KEY (name, day)
);
-- Until when the models in use are offered, as the last daily look at the server found it. ends NULL: nobody says.
CREATE TABLE model_end (
    model $text NOT NULL PRIMARY KEY,
    ends $text,
    offered $bigint NOT NULL,
    checked_at $double NOT NULL
);
