"""Numbered changes: what the central database has not got yet. ``sync`` brings it there."""

from __future__ import annotations

import apsw

from growbin_jobs.engine.delivery.records import Task
from growbin_jobs.engine.journal.tables.reader import TASK_COLUMNS, as_task

UNSYNCED = f"""
SELECT {TASK_COLUMNS} FROM task_wal WHERE synced_at IS NULL AND seq > ? ORDER BY seq LIMIT ?
"""  # noqa: S608 constants only


def take_numbers(connection: apsw.Connection, count: int = 1) -> int:
    """Return the first of ``count`` numbers that nothing else gets. Inside a transaction."""
    last: int = connection.execute("UPDATE change_number SET seq = seq + ? RETURNING seq", (count,)).get
    return last - count + 1


def unsynced(connection: apsw.Connection, *, after: int = 0, limit: int = 1000) -> list[Task]:
    """Return tasks that changed since they were last copied, in the order of their changes.

    Parameters:
      after: Change number of the last row of the page before.
    """
    return [as_task(row) for row in connection.execute(UNSYNCED, (after, limit))]


def oldest_unsynced(connection: apsw.Connection) -> Task | None:
    """Return the task whose change waits longest for the central database."""
    return next(iter(unsynced(connection, limit=1)), None)
