"""The table ``sync_log``: the latest copies to the central database, and what it refused."""

from __future__ import annotations

from typing import Any, NamedTuple

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
    """Note that tasks were copied. Inside a transaction.

    Parameters:
      rows: Condition that selects them from ``task_wal``.
      values: Its parameters, and ``at``: when, seconds since 1970, UTC.
    """
    connection.execute(_COPIED.format(rows=rows), values)
    connection.execute(_FORGET, (KEEP, connection.changes() + STEP))


def refused(connection: apsw.Connection, task_id: str, error: str, *, at: float) -> None:
    """Note that the database takes no row like this one. Inside a transaction."""
    connection.execute(_REFUSED, (task_id, at, error))


class Copy(NamedTuple):
    """One try to copy a task.

    Attributes:
      at: Seconds since 1970, UTC.
      error: Why the database refused it; None where it was copied.
    """

    at: float
    copied: bool
    error: str | None


def of_task(connection: apsw.Connection, task_id: str) -> list[Copy]:
    """Return the tries to copy a task that are still known, oldest first."""
    query = "SELECT synced_at, status = 'success', error FROM sync_log WHERE task_id = ? ORDER BY id"
    return [Copy(at, bool(copied), error) for at, copied, error in connection.execute(query, (task_id,))]


def last_id(connection: apsw.Connection) -> int:
    """Return the id of the latest entry; 0 where there is none."""
    last: int = connection.execute("SELECT ifnull(max(id), 0) FROM sync_log").get
    return last


def after(connection: apsw.Connection, entry: int) -> list[tuple[int, str]]:
    """Return id and task of each entry behind one, oldest first."""
    query = "SELECT id, task_id FROM sync_log WHERE id > ? ORDER BY id"
    return [(int(row[0]), str(row[1])) for row in connection.execute(query, (entry,))]
