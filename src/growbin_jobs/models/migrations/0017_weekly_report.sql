CREATE TABLE weekly_report (
    week $text NOT NULL,
    zone $text NOT NULL,
    since $time NOT NULL,
    until $time NOT NULL,
    analyses $bigint NOT NULL,
    by_status $json NOT NULL,
    by_category $json NOT NULL,
    by_item $json NOT NULL,
    failures $json NOT NULL,
    written_at $time NOT NULL,
    PRIMARY KEY (week, zone)
);
