"""Spreads what every node does at the same due time, the same way after each restart."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

#: No node waits longer than this part of an interval.
PART = 0.2

#: Nor longer than this.
MOST = timedelta(minutes=10)


def spread(node: str, job: str, window: timedelta) -> timedelta:
    """Return how much later than its due time a node begins a job.

    It depends on the two names alone. Twenty nodes that prune at midnight do not ask one database at the same second.

    Parameters:
      node: Its name.
      job: Its name.
      window: The offsets lie in it, evenly.
    """
    digest = sha256(f"{node}\0{job}".encode()).digest()
    return window * (int.from_bytes(digest[:8]) / 2**64)


def window_of(interval: timedelta) -> timedelta:
    """Return the window for a job that is due once in an interval."""
    return min(interval * PART, MOST)
