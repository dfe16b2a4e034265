-- Tasks of one actor, newest first: a rare actor's are found without looking at millions of others.
CREATE INDEX tasks_task_name_created_at ON tasks (task_name, created_at);
