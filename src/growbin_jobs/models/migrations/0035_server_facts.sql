-- What is learnt of a model on a server, for all nodes, and who is finding out. Moments are seconds since 1970 on the
-- database's clock; facts is NULL until there are some.
CREATE TABLE server_facts (
    key $text NOT NULL PRIMARY KEY,
    url $text,
    model $text,
    facts $text,
    fence $bigint NOT NULL,
    leased_until $double NOT NULL
);
