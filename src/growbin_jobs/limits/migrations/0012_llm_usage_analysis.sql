CREATE INDEX llm_usage_analysis ON llm_usage (analysis_id);
