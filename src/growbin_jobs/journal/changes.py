"""Numbered changes: what the central database has not got yet. The caller runs writing functions in a transaction."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from growbin_jobs.journal.reader import TASK_COLUMNS, as_task
from growbin_jobs.journal.records import Task

UNSYNCED = f"""
SELECT {TASK_COLUMNS} FROM task_wal WHERE synced_at IS NULL AND seq > ? ORDER BY seq LIMIT ?
"""  # noqa: S608 constants only


def take_numbers(connection: apsw.Connection, count: int = 1) -> int:
    """Return the first of ``count`` numbers that nothing else gets."""
    last: int = connection.execute("UPDATE change_number SET seq = seq + ? RETURNING seq", (count,)).get
    return last - count + 1


def unsynced(connection: apsw.Connection, *, after: int = 0, limit: int = 1000) -> list[Task]:
    """Return tasks that changed since they were last copied, in the order of their changes.

    Parameters:
      after: Change number of the last row of the page before.
    """
    return [as_task(row) for row in connection.execute(UNSYNCED, (after, limit))]


def mark_synced(connection: apsw.Connection, tasks: Iterable[Task], *, at: float) -> int:
    """Note that these rows are in the central database; one that has changed since is left for the next copy.

    Returns:
      How many were marked.
    """
    marked = 0
    for task in tasks:
        connection.execute(
            "UPDATE task_wal SET synced_at = ? WHERE task_id = ? AND seq = ?", (at, task.task_id, task.seq)
        )
        if connection.changes():
            marked += 1
            connection.execute(
                "INSERT INTO sync_log (task_id, synced_at, status) VALUES (?, ?, 'success')", (task.task_id, at)
            )
    return marked


def log_failure(connection: apsw.Connection, tasks: Iterable[Task], *, error: str, at: float) -> None:
    """Note that rows could not be copied; they stay to be copied."""
    connection.executemany(
        "INSERT INTO sync_log (task_id, synced_at, status, error) VALUES (?, ?, 'failed', ?)",
        [(task.task_id, at, error) for task in tasks],
    )


def oldest_unsynced(connection: apsw.Connection) -> Task | None:
    """Return the task whose change waits longest for the central database."""
    return next(iter(unsynced(connection, limit=1)), None)
