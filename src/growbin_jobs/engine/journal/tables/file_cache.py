"""The table ``file_cache``: which files of the node's cache are there, and until when."""

from __future__ import annotations

from typing import NamedTuple

import apsw

PUT = "INSERT OR REPLACE INTO file_cache (key, file_path, size, created_at, ttl) VALUES (?, ?, ?, ?, ?)"


class CachedFile(NamedTuple):
    """A file: its name in the cache's folder, and its bytes."""

    name: str
    size: int


def get(connection: apsw.Connection, key: str, *, now: float) -> CachedFile | None:
    """Return a file while it is fresh, else None."""
    query = "SELECT file_path, size FROM file_cache WHERE key = ? AND created_at + ttl > ?"
    row = connection.execute(query, (key, now)).fetchone()
    return None if row is None else CachedFile(*row)


def put(connection: apsw.Connection, key: str, name: str, size: int, *, now: float, ttl: float, most: int) -> list[str]:
    """Note a file, and forget the oldest ones beyond so many bytes.

    Parameters:
      now: Seconds since 1970, UTC.
      ttl: Seconds that it is kept.
      most: Bytes of all files together.

    Returns:
      The names of the files that are to be deleted.
    """
    connection.execute(PUT, (key, name, size, now, ttl))
    total = int(connection.execute("SELECT sum(size) FROM file_cache").get)
    dropped: list[str] = []
    while total > most:
        oldest = "SELECT key, file_path, size FROM file_cache WHERE key <> ? ORDER BY created_at LIMIT 1"
        row = connection.execute(oldest, (key,)).fetchone()
        if row is None:
            break
        delete(connection, row[0])
        dropped.append(row[1])
        total -= row[2]
    return dropped


def delete(connection: apsw.Connection, key: str) -> None:
    """Forget a file."""
    connection.execute("DELETE FROM file_cache WHERE key = ?", (key,))


def clear(connection: apsw.Connection) -> int:
    """Forget all files; return how many there were."""
    connection.execute("DELETE FROM file_cache")
    return connection.changes()
