"""The table ``sync_log``: the latest copies to the central database, and what it refused. Inside a transaction."""

from __future__ import annotations

from typing import Any

import apsw

#: Rows that are kept. At 2,000 tasks/s that is less than a minute, and 8 MB.
KEEP = 100_000

#: Rows that one call deletes beyond those that it adds, so that none takes long.
STEP = 10_000

_COPIED = "INSERT INTO sync_log (task_id, synced_at, status) SELECT task_id, :at, 'success' FROM task_wal WHERE {rows}"
_REFUSED = "INSERT INTO sync_log (task_id, synced_at, status, error) VALUES (?, ?, 'failed', ?)"
_FORGET = """
DELETE FROM sync_log WHERE id <= min((SELECT max(id) FROM sync_log) - ?, (SELECT min(id) FROM sync_log) + ?)
"""


def copied(connection: apsw.Connection, rows: str, values: dict[str, Any]) -> None:
    """Note that tasks were copied.

    Parameters:
      rows: Condition that selects them from ``task_wal``.
      values: Its parameters, and ``at``: when, seconds since 1970, UTC.
    """
    connection.execute(_COPIED.format(rows=rows), values)
    connection.execute(_FORGET, (KEEP, connection.changes() + STEP))


def refused(connection: apsw.Connection, task_id: str, error: str, *, at: float) -> None:
    """Note that the database takes no row like this one. Each sweep tries it again, and notes it again."""
    connection.execute(_REFUSED, (task_id, at, error))
