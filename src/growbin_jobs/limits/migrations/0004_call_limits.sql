-- Limits of paid calls. Moments are seconds since 1970 on the database's clock; tat: theoretical arrival time (GCRA).
CREATE TABLE call_limit (
    name $text NOT NULL PRIMARY KEY,
    spacing $double NOT NULL,
    burst $double NOT NULL,
    tat $double NOT NULL,
    held_until $double NOT NULL,
    version $bigint NOT NULL
);
