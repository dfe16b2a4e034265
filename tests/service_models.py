"""botocore's descriptions of its services, read once a process.

Each store has a session of its own, and each session reads them anew: a fifth of a second, for what is always the same.
"""

from __future__ import annotations

from functools import cache


def share() -> None:
    """Let all sessions that are made from now on read them together."""
    from botocore import loaders, session

    if session.create_loader is loaders.create_loader:
        session.create_loader = cache(loaders.create_loader)
