-- What each limit granted on each node, by the minute; minute: of its beginning, in seconds since 1970.
CREATE TABLE limit_minute (
    name $text NOT NULL,
    minute $bigint NOT NULL,
    node $text NOT NULL,
    units $bigint NOT NULL,
    PRIMARY KEY (name, minute, node)
);
CREATE INDEX limit_minute_minute ON limit_minute (minute);
