"""Alerts without Prometheus: rules that are watched, and signed webhooks that tell of them, at least once."""
