"""A newsletter: a letter for each reader, then the issue is closed. Three times the same service."""
