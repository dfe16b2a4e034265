"""Finds and deletes what the central database holds of messages that a function picks by their bodies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.delivery.records import TaskState

#: Says by its encoded body whether a message is one of them.
Belongs = Callable[[bytes | str], bool]

#: Rows that are read at once, and ids of one statement.
_PAGE: Final = 1000

_ENDED: Final = (TaskState.COMPLETED.value, TaskState.DEAD.value)

#: Table, column of its key, of the task's id, of the message, and of the state.
_TABLES: Final = (
    ("tasks", "task_id", "task_id", "payload", "status"),
    ("dead_letters", "id", "task_id", "body", "'dead'"),
    ("task_reruns", "task_id", "task_id", "body", "'dead'"),
)

_DELETES: Final = {
    "task_attempts": "DELETE FROM task_attempts WHERE task_id IN ({ids})",
    "task_progress": "DELETE FROM task_progress WHERE task_id IN ({ids})",
    "task_reruns": "DELETE FROM task_reruns WHERE task_id IN ({ids}) OR rerun_of IN ({ids})",
    "bulk_items": "DELETE FROM bulk_items WHERE target IN ({ids})"
    " OR target IN (SELECT id FROM dead_letters WHERE task_id IN ({ids}))",
    "dead_letters": "DELETE FROM dead_letters WHERE task_id IN ({ids})",
    "tasks": "DELETE FROM tasks WHERE task_id IN ({ids})",
}


@dataclass(slots=True)
class FoundMessages:
    """Ids of tasks: of those that have come to an end, and of those that may still run."""

    ended: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)


class CentralMessages:
    """Messages in the tables of the engine.

    Parameters:
      database: The central one; every method raises Deferred when it is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def bodies(self, node: str | None = None) -> Iterator[tuple[str, str, bytes | str, str]]:
        """Yield table, task id, message and state of everything, page by page.

        Parameters:
          node: Only what this node's journal has told; None: all.
        """
        for table, key, task, body, state in _TABLES:
            if node is not None and table == "task_reruns":
                continue
            own = "" if node is None else "AND node = ?"
            after: Any = ""
            while True:
                sql = (
                    f"SELECT {key}, {task}, {body}, {state} FROM {table}"  # noqa: S608 constants only
                    f" WHERE {key} > ? {own} ORDER BY {key} LIMIT {_PAGE}"
                )
                values = (after,) if node is None else (after, node)
                rows = self._database.run(lambda one, sql=sql, values=values: self._sql.rows(one, sql, *values))  # type: ignore[misc]
                for _, task_id, content, status in rows:
                    yield table, task_id, content if isinstance(content, str) else bytes(content), status
                if len(rows) < _PAGE:
                    break
                after = rows[-1][0]

    def find(self, belongs: Belongs, *, node: str | None = None) -> FoundMessages:
        """Return the tasks whose messages a function picks."""
        found = FoundMessages()
        for _, task_id, body, status in self.bodies(node):
            if belongs(body):
                (found.ended if status in _ENDED else found.live).add(task_id)
        found.ended -= found.live
        return found

    def delete(self, task_ids: Collection[str], noted: Callable[[Any, str, int], object]) -> int:
        """Delete all rows of some tasks; return how many.

        Parameters:
          noted: Told of each table and the number of its rows, in the transaction that deletes them.
        """
        ids, total = sorted(task_ids), 0
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]

            def work(connection: Any, page: list[str] = page) -> int:
                deleted = 0
                for table, statement in _DELETES.items():
                    places = ", ".join("?" * len(page))
                    values = page * statement.count("{ids}")
                    rows = self._sql.run(connection, statement.format(ids=places), *values)
                    if rows:
                        noted(connection, table, rows)
                    deleted += rows
                return deleted

            total += self._database.transaction(work)
        return total
