"""What a task has in Flower beside our lines: the beginning of message and result, its traceback, its children."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.search.task_detail import Preview
from growbin_jobs.engine.central.sql_words import SqlWords

#: Tasks of one statement.
CHUNK = 500

#: Characters of a message or result that is parsed for a list.
LISTED = 8192

#: Characters of a traceback.
TRACEBACK = 20_000

#: Children of one statement's tasks.
CHILDREN = 20_000


@dataclass(slots=True)
class Texts:
    """Of one task.

    Attributes:
      message, result: None: there is none, or the asker may not see it.
    """

    message: Preview | None = None
    result: Preview | None = None
    traceback: str | None = None
    children: list[str] = field(default_factory=list)


def texts_of(
    database: Database, lines: Sequence[TaskLine], *, messages: bool, shown: int = LISTED
) -> defaultdict[str, Texts]:
    """Return the texts of tasks by id; empty ones of a task that has none.

    Parameters:
      messages: May the asker see messages and results?
      shown: Characters of each.

    Raises:
      Deferred: The database is away.
    """
    found: defaultdict[str, Texts] = defaultdict(Texts)
    words = SqlWords(database.dialect)

    def rows(sql: str, ids: Sequence[str]) -> list[Any]:
        statement = sql.replace("$ids", ", ".join("?" * len(ids)))
        return database.run(lambda connection: words.rows(connection, statement, *ids))

    for part in _chunks([line.task_id for line in lines] if messages else []):
        sql = (
            f"SELECT task_id, substr(payload, 1, {shown}), length(payload), substr(result, 1, {shown}), length(result)"  # noqa: S608
            " FROM tasks WHERE task_id IN ($ids)"
        )
        for task_id, payload, long, result, result_long in rows(sql, part):
            found[task_id].message = None if payload is None else Preview(payload, long)
            found[task_id].result = None if result is None else Preview(result, result_long)
    for part in _chunks([line.task_id for line in lines if line.status == "dead"]):
        sql = (
            f"SELECT task_id, substr(traceback, 1, {TRACEBACK}) FROM dead_letters WHERE task_id IN ($ids)"  # noqa: S608
            " ORDER BY died_at"
        )
        for task_id, traceback in rows(sql, part):
            found[task_id].traceback = traceback
    for part in _chunks(sorted({line.root_id or line.task_id for line in lines})):
        sql = (
            "SELECT task_id, parent_id FROM tasks WHERE root_id IN ($ids) AND parent_id IS NOT NULL"  # noqa: S608
            f" ORDER BY created_at, task_id LIMIT {CHILDREN}"
        )
        for child, parent in rows(sql, part):
            found[parent].children.append(child)
    return found


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(ids), CHUNK):
        yield ids[begin : begin + CHUNK]
