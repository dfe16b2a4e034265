-- Lists of figures that only programs read, and always whole: as jsonb PostgreSQL wrote each as text anew for every
-- page, which took most of its time for a page of weeks, and kept it in two to three times the room. Both tables are
-- sums of others and small; programs that do not know this migration write and read the same text.
$postgresql ALTER TABLE task_spans ALTER COLUMN wait_buckets TYPE TEXT USING wait_buckets::text, ALTER COLUMN run_buckets TYPE TEXT USING run_buckets::text;
$postgresql ALTER TABLE error_days ALTER COLUMN hours TYPE TEXT USING hours::text, ALTER COLUMN nodes TYPE TEXT USING nodes::text;

-- A number that all rows of a day have since it was made, so that who remembers a day knows when it was made anew. NULL:
-- a program that does not know this migration made it. Those of before are made anew.
ALTER TABLE error_days ADD COLUMN made $bigint;
$postgresql INSERT INTO error_days_due SELECT DISTINCT day, day + interval '24 hours', 1 FROM error_days ON CONFLICT DO NOTHING;
$sqlite INSERT INTO error_days_due SELECT DISTINCT day, replace(datetime(day, '+1 day'), ' ', 'T') || '.000000+00:00', 1 FROM error_days WHERE TRUE ON CONFLICT DO NOTHING;
