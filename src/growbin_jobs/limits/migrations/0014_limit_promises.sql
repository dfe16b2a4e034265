-- What each limit promised, from when on; the latest row of a name holds. since: seconds since 1970 on the database's clock.
CREATE TABLE limit_promise (
    name $text NOT NULL,
    since $double NOT NULL,
    most $bigint NOT NULL,
    window_seconds $double NOT NULL,
    origin $text NOT NULL,
    PRIMARY KEY (name, since)
);
