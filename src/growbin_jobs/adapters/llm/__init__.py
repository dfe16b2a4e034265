"""Client for any model server that speaks OpenAI's Chat Completions."""
