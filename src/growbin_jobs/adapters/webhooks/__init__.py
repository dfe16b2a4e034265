"""Signed HTTP requests that tell somebody else of something: webhooks."""
