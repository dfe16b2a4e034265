-- The database server that granted last: one row. After a failover its last grants may be lost.
CREATE TABLE limit_server (
    id $bigint NOT NULL PRIMARY KEY,
    started $double NOT NULL
);
