"""The newest failed runs, as many as a page of errors groups, each with its cause as far as anybody knows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.sql_words import SqlWords

#: Failed runs that are grouped at most, the newest.
WINDOW: Final = 20_000
_SHOWN: Final = 500

#: Characters of a traceback that are read, from its end: the last frame and the error.
_TAIL: Final = 3000

_RUNS: Final = f"""
    SELECT task_id, task_name, queue_name, node, outcome, ended_at, substr(error, 1, {_SHOWN}) FROM task_attempts
    WHERE ended_at >= ? AND ended_at < ? AND outcome <> 'deferred' ORDER BY ended_at DESC LIMIT ?
"""  # noqa: S608 a number of ours


class Failure(NamedTuple):
    """A run that failed.

    Attributes:
      state: ``failed``, ``crashed``, or ``dead``: its message was given up.
      at: When it ended.
      code: The reason for which the message was given up; empty: it was not.
      traceback: Of a message that was given up, its end; empty: not known.
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
    runs = database.run(lambda connection: words.rows(connection, _RUNS, *values))[: window + 1]
    letters = _letters(database, words, (runs[-1][5], values[1])) if any(run[4] == "dead" for run in runs) else {}
    found = []
    for task_id, actor, queue, node, outcome, at, error in runs[:window]:
        code, traceback = letters.get((task_id, node, at), ("", "")) if outcome == "dead" else ("", "")
        ended = moments.python_value(at)
        assert ended is not None
        found.append(Failure(task_id, actor, queue, node, outcome, ended, error or "", code, traceback))
    return found, len(runs) > window


def _letters(database: Database, words: SqlWords, span: tuple[Any, Any]) -> dict[tuple[str, str, Any], tuple[str, str]]:
    """Return code and traceback of the letters that were written in a time, by task, node and moment.

    They are not joined to the runs: most of those have no letter, and PostgreSQL would look for one for each.
    """
    end = "right(traceback, ?)" if database.dialect == "postgresql" else "substr(traceback, -1 * ?)"
    sql = f"SELECT task_id, node, died_at, code, {end} FROM dead_letters WHERE died_at >= ? AND died_at < ?"  # noqa: S608
    rows = database.run(lambda connection: words.rows(connection, sql, _TAIL, *span))
    return {(task_id, node, at): (code or "", traceback or "") for task_id, node, at, code, traceback in rows}
