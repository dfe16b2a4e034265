-- Failed runs of each UTC day by cause, with the runs of each of its hours and of each node: the sums of error_hours, so
-- that a page of weeks reads one row of a cause and a day. A note for each day of which an hour was computed since.
CREATE TABLE error_days (
    day $time NOT NULL,
    cause $bigint NOT NULL,
    runs $bigint NOT NULL,
    dead $bigint NOT NULL,
    first_at $time NOT NULL,
    last_at $time NOT NULL,
    sample $text NOT NULL,
    hours $json NOT NULL,
    nodes $json NOT NULL,
    PRIMARY KEY (day, cause)
);

CREATE TABLE error_days_due (
    day $time NOT NULL PRIMARY KEY,
    ends $time NOT NULL,
    touched $bigint NOT NULL
);

-- Days of before are computed too.
$postgresql INSERT INTO error_days_due SELECT DISTINCT date_trunc('day', hour, 'UTC'), date_trunc('day', hour, 'UTC') + interval '24 hours', 1 FROM error_hours;
$sqlite INSERT INTO error_days_due SELECT DISTINCT replace(datetime(hour, 'start of day'), ' ', 'T') || '.000000+00:00', replace(datetime(hour, 'start of day', '+1 day'), ' ', 'T') || '.000000+00:00', 1 FROM error_hours;
