"""The newest failed runs, as many as a page of errors groups, each with its cause as far as anybody knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.sql_words import SqlWords

#: Failed runs that are grouped at most, the newest.
WINDOW: Final = 20_000
_SHOWN: Final = 500

_RUNS: Final = f"""
    SELECT a.task_id, a.task_name, a.queue_name, a.node, a.outcome, a.ended_at, substr(a.error, 1, {_SHOWN}), d.code,
           d.traceback
    FROM (SELECT * FROM task_attempts WHERE ended_at >= ? AND ended_at < ? AND outcome <> 'deferred'
          ORDER BY ended_at DESC LIMIT ?) AS a
    LEFT JOIN dead_letters AS d ON d.task_id = a.task_id AND d.node = a.node AND d.died_at = a.ended_at
    ORDER BY a.ended_at DESC
"""  # noqa: S608 a number of ours


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that failed.

    Attributes:
      state: ``failed``, ``crashed``, or ``dead``: its message was given up.
      at: When it ended.
      code: The reason for which the message was given up; empty: it was not.
      traceback: Of a message that was given up; empty: not known.
    """

    task_id: str
    actor: str
    queue: str
    node: str
    state: str
    at: datetime
    error: str
    code: str = ""
    traceback: str = ""


def failures(
    database: Database, *, since: datetime, until: datetime, window: int = WINDOW
) -> tuple[list[Failure], bool]:
    """Return the newest failed runs of a time, the newest first.

    Parameters:
      database: The central one.
      since, until: From the one to before the other, aware.
      window: At most so many.

    Returns:
      The runs, and whether there are more.

    Raises:
      Deferred: The database is away.
    """
    words, moments = SqlWords(database.dialect), UtcField()
    values = (moments.db_value(since), moments.db_value(until), window + 1)
    rows = database.run(lambda connection: words.rows(connection, _RUNS, *values))
    return [_failure(row, moments) for row in rows[:window]], len(rows) > window


def _failure(row: Any, moments: UtcField) -> Failure:
    task_id, actor, queue, node, outcome, at, error, code, traceback = row
    ended = moments.python_value(at)
    assert ended is not None
    return Failure(task_id, actor, queue, node, outcome, ended, error or "", code or "", traceback or "")
