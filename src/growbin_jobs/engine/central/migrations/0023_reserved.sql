-- What worker processes have fetched and not started, as of their last heartbeat.
ALTER TABLE workers ADD COLUMN reserved $bigint;
ALTER TABLE workers ADD COLUMN reserved_tasks $json;
