-- Lists of figures that only programs read, and always whole: as jsonb PostgreSQL wrote each as text anew for every
-- page, which took most of its time for a page of weeks, and kept it in three times the room. Both tables are sums of
-- others and small; programs that do not know this migration write and read the same text.
$postgresql ALTER TABLE task_spans ALTER COLUMN wait_buckets TYPE TEXT USING wait_buckets::text, ALTER COLUMN run_buckets TYPE TEXT USING run_buckets::text;
$postgresql ALTER TABLE error_days ALTER COLUMN hours TYPE TEXT USING hours::text, ALTER COLUMN nodes TYPE TEXT USING nodes::text;
