-- Which classes of requests wait for a limit, so that the classes above leave them their share. Moments are seconds
-- since 1970 on the database's clock.
CREATE TABLE limit_waiting (
    name $text NOT NULL,
    class $text NOT NULL,
    until $double NOT NULL,
    PRIMARY KEY (name, class)
);
