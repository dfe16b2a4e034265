-- How long analyses took and what was paid; NULL in reports of before. cost is in micro-dollars.
ALTER TABLE weekly_report ADD COLUMN latency $json;
ALTER TABLE weekly_report ADD COLUMN requests $bigint;
ALTER TABLE weekly_report ADD COLUMN cost $bigint;
