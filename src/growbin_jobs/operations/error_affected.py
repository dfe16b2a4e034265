"""Whom a group of errors has hit: how many analyses, and how many users."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.operations.bulk_cost import analysis_of

#: Tasks of a group that are looked at, those that failed last; and of one statement.
MOST: Final = 2000
_AT_ONCE: Final = 500

#: Characters of a message that are read: those of the pipeline are shorter.
_READ: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """Whom a group of errors has hit.

    Attributes:
      tasks: Of the group, each once.
      examined: Of these, so many were looked at: those that failed last.
      analyses, users: That they were for. Tasks that are for no analysis are in neither.
    """

    tasks: int
    examined: int
    analyses: int
    users: int


def affected_by(database: Database, tasks: Sequence[str]) -> Affected:
    """Return whom a group of errors has hit.

    Parameters:
      tasks: Of the group, as :func:`growbin_jobs.operations.error_groups.tasks_of_group` returns them.

    Raises:
      Deferred: The database is away.
    """
    analyses: set[str] = set()
    for begin in range(0, min(len(tasks), MOST), _AT_ONCE):
        some = tasks[begin : min(begin + _AT_ONCE, MOST)]
        analyses |= {found for each in _messages(database, some) if (found := _analysis_of(*each)) is not None}
    owners: dict[str, str | None] = {}
    known = sorted(analyses)
    for begin in range(0, len(known), _AT_ONCE):
        owners |= Analyses(database).owners(known[begin : begin + _AT_ONCE])
    users = {user for user in owners.values() if user is not None}
    return Affected(tasks=len(tasks), examined=min(len(tasks), MOST), analyses=len(analyses), users=len(users))


def _messages(database: Database, task_ids: Sequence[str]) -> list[tuple[str, str]]:
    sql, marks = SqlWords(database.dialect), ", ".join("?" * len(task_ids))
    query = f"SELECT task_name, substr(payload, 1, {_READ}) FROM tasks WHERE task_id IN ({marks})"  # noqa: S608
    return database.run(lambda connection: sql.rows(connection, query, *task_ids))


def _analysis_of(actor: str, text: str) -> str | None:
    try:
        message: Any = json.loads(text)
    except (ValueError, RecursionError):  # longer than is read, or no message
        return None
    return analysis_of(actor, message) if isinstance(message, dict) else None
