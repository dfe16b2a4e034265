-- Offline shares: the part of a limit that nodes may use while they cannot reach this database. Nobody else uses it.
-- opens: no node gets more before, since the whole limit was granted here until then.
CREATE TABLE limit_reserve (
    name $text NOT NULL PRIMARY KEY,
    part $double NOT NULL,
    opens $double NOT NULL
);
-- What each node has of them. owed: what it had before and may have used in the window that ends at owed_until.
CREATE TABLE limit_lease (
    name $text NOT NULL,
    node $text NOT NULL,
    units $bigint NOT NULL,
    until $double NOT NULL,
    owed $bigint NOT NULL,
    owed_until $double NOT NULL,
    PRIMARY KEY (name, node)
);
