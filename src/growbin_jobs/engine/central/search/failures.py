"""The newest failures, as many as a page of errors groups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.sql_words import SqlWords

#: Failures that are grouped at most, the newest.
WINDOW: Final = 20_000
_SHOWN: Final = 500

#: States of a task whose last run failed.
STATES: Final = ("dead", "failed")


@dataclass(frozen=True, slots=True)
class Failure:
    """A task whose last run failed; ``at``: when that ended, else when it began or was created."""

    task_id: str
    actor: str
    queue: str
    node: str
    state: str
    at: datetime
    error: str
    code: str = ""
    place: str = ""


def failures(database: Database, *, since: datetime, window: int = WINDOW) -> tuple[list[Failure], bool]:
    """Return the newest failures of tasks that were created since a time, the newest first.

    Parameters:
      database: The central one.
      since: Aware.
      window: At most so many of each state.

    Returns:
      The failures, and whether there are more.

    Raises:
      Deferred: The database is away.
    """
    words, moments = SqlWords(database.dialect), UtcField()
    sql = (
        f"SELECT task_id, task_name, queue_name, node, status, COALESCE(completed_at, started_at, created_at),"  # noqa: S608
        f" substr(error, 1, {_SHOWN}) FROM tasks WHERE status = ? AND created_at >= ? ORDER BY created_at DESC LIMIT ?"
    )
    found, more = [], False
    for state in STATES:
        values = (state, moments.db_value(since), window + 1)
        rows = database.run(lambda connection, values=values: words.rows(connection, sql, *values))  # type: ignore[misc]
        more = more or len(rows) > window
        for task_id, actor, queue, node, status, at, error in rows[:window]:
            ended = moments.python_value(at)
            assert ended is not None
            found.append(Failure(task_id, actor, queue, node, status, ended, error or ""))
    return sorted(found, key=lambda each: (each.at, each.task_id), reverse=True), more
