-- How many analyses a user has under way is asked for each picture, and must not read all that ever ended.
CREATE INDEX waste_analysis_unfinished ON waste_analysis (user_id) WHERE status NOT IN ('completed', 'failed');
