"""The table ``gpt_cache``: answers of models, until they expire."""

from __future__ import annotations

import apsw

PUT = """
INSERT OR REPLACE INTO gpt_cache (cache_key, prompt, response, model, created_at, ttl) VALUES (?, ?, ?, ?, ?, ?)
"""


def get(connection: apsw.Connection, key: str, *, now: float) -> str | None:
    """Return an answer while it is fresh, else None."""
    query = "SELECT response FROM gpt_cache WHERE cache_key = ? AND created_at + ttl > ?"
    response = connection.execute(query, (key, now)).get
    return None if response is None else str(response)


def put(
    connection: apsw.Connection, key: str, prompt: str, response: str, model: str, *, now: float, ttl: float
) -> None:
    """Keep an answer.

    Parameters:
      prompt: Its version.
      now: Seconds since 1970, UTC.
      ttl: Seconds that it is kept.
    """
    connection.execute(PUT, (key, prompt, response, model, now, ttl))


def delete_expired(connection: apsw.Connection, *, now: float) -> int:
    """Delete answers that have expired, and return how many."""
    connection.execute("DELETE FROM gpt_cache WHERE created_at + ttl <= ?", (now,))
    return connection.changes()
