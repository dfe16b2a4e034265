"""Proofs over a span of time; a package of its own, since it stands on the schedule, which stands on operations."""
