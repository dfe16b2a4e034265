"""Queries of people and monitors. They page by key; nothing here reads a table from end to end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import apsw

from growbin_jobs.engine.delivery.records import JournalTask, TaskState
from growbin_jobs.engine.file_system import name_for_sqlite
from growbin_jobs.engine.journal.tables import outbox
from growbin_jobs.engine.sqlite.opening import check_sqlite
from growbin_jobs.engine.sqlite.patience import Patience
from growbin_jobs.engine.sqlite.work import sqlite_work

TASK_COLUMNS = ", ".join(field.name for field in fields(JournalTask))
_STATUS = [field.name for field in fields(JournalTask)].index("status")

PAGE = f"""
SELECT {TASK_COLUMNS} FROM task_wal
WHERE status = ?1 AND (created_at, task_id) < (?2, ?3) ORDER BY created_at DESC, task_id DESC LIMIT ?4
"""  # noqa: S608 constants only


def open_reader(path: Path) -> apsw.Connection:
    """Open a journal for reading only, beside the processes that write it.

    Raises:
      ConfigurationError: If SQLite itself is too old.
      apsw.Error: If there is none, or it cannot be read.
    """
    check_sqlite()
    connection = apsw.Connection(name_for_sqlite(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_handler(Patience(5.0).wait)
    return connection


def holds_messages(path: Path) -> bool:
    """Do producers' messages wait in a journal? True where that cannot be seen: opening it to write mends it."""
    try:
        with sqlite_work(), closing(open_reader(path)) as connection:
            return outbox.backlog(connection) > 0
    except apsw.Error:
        return path.exists()


def task(connection: apsw.Connection, task_id: str) -> JournalTask | None:
    """Return one task's row."""
    query = f"SELECT {TASK_COLUMNS} FROM task_wal WHERE task_id = ?"  # noqa: S608 constants only
    row = connection.execute(query, (task_id,)).fetchone()
    return None if row is None else as_task(row)


def tasks(
    connection: apsw.Connection, status: TaskState, *, below: tuple[float, str] = (1e99, ""), limit: int = 100
) -> list[JournalTask]:
    """Return tasks of one state, those that came last first.

    Parameters:
      below: ``created_at`` and ``task_id`` of the last row of the page before.
    """
    return [as_task(row) for row in connection.execute(PAGE, (status, *below, limit))]


def latest(connection: apsw.Connection, *, limit: int = 20) -> list[JournalTask]:
    """Return what has come last, whatever its state."""
    pages = [each for status in TaskState for each in tasks(connection, status, limit=limit)]
    return sorted(pages, key=lambda each: each.created_at, reverse=True)[:limit]


def counts(connection: apsw.Connection) -> dict[TaskState, int]:
    """Return how many tasks are in each state, from counters."""
    rows = connection.execute("SELECT status, n FROM task_count")
    return {TaskState(status): n for status, n in rows}


def running_by_worker(connection: apsw.Connection) -> dict[str, int]:
    """Return how many tasks each process runs, by its name in rows, as far as their starts were written."""
    query = "SELECT worker, count(*) FROM task_wal WHERE status = ? GROUP BY worker"
    return {str(worker): n for worker, n in connection.execute(query, (TaskState.RUNNING,))}


def retry_of(connection: apsw.Connection, task_id: str) -> tuple[int, float, str | None] | None:
    """Return retry count, due time and error of a task that waits for its retry."""
    row: tuple[int, float, str | None] | None = connection.execute(
        "SELECT retry_count, next_retry_at, error FROM retry_queue WHERE task_id = ?", (task_id,)
    ).fetchone()
    return row


def sizes(path: Path) -> dict[str, int]:
    """Return the bytes of the database file and of its write-ahead log."""
    return {name: _size(path.with_name(path.name + end)) for name, end in (("database", ""), ("wal", "-wal"))}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def as_task(row: Sequence[Any]) -> JournalTask:
    """Return a row of :data:`TASK_COLUMNS` as a task."""
    values = list(row)
    values[_STATUS] = TaskState(values[_STATUS])
    return JournalTask(*values)
