"""Finds and deletes what a journal holds of messages that a function picks by their bodies."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import apsw

from growbin_jobs.engine.delivery.records import TaskState

T = TypeVar("T")


class Access(Protocol):
    """What is needed of a :class:`growbin_jobs.engine.journal.journal.Journal`."""

    def read(self, call: Callable[[apsw.Connection], T]) -> T: ...
    def write(self, call: Callable[[apsw.Connection], T], *, durable: bool = False) -> T: ...


#: Rows that are read at once: nobody else uses the journal meanwhile.
_PAGE: Final = 500

_ENDED: Final = (TaskState.COMPLETED, TaskState.DEAD)

#: Table, column of its key, of the task's id, of the message, and of the state; a debt to the broker is alive.
_TABLES: Final = (
    ("task_wal", "task_id", "task_id", "payload", "status", ""),
    ("dead_letter", "id", "task_id", "body", "'dead'", -1),
    ("retry_queue", "task_id", "task_id", "payload", "'failed'", ""),
    ("outbox", "seq", "message_id", "body", "'pending'", -1),
    ("sent", "seq", "message_id", "body", "'completed'", -1),
)

_DELETES: Final = (
    "DELETE FROM attempt WHERE task_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM sync_log WHERE task_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM retry_queue WHERE task_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM dead_letter WHERE task_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM sent WHERE message_id IN (SELECT value FROM json_each(?1))",
    "DELETE FROM task_wal WHERE task_id IN (SELECT value FROM json_each(?1))",
)


@dataclass(slots=True)
class FoundHere:
    """Ids of tasks: of those that have come to an end, and of those that may still run."""

    ended: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)


def find(journal: Access, belongs: Callable[[bytes | str], bool]) -> FoundHere:
    """Return the tasks whose messages a function picks.

    Raises:
      JournalUnavailable: For now.
    """
    found = FoundHere()
    for table, key, task, body, state, first in _TABLES:
        after: Any = first
        sql = (
            f"SELECT {key}, {task}, {body}, {state} FROM {table}"  # noqa: S608 constants only
            f" WHERE {key} > ? ORDER BY {key} LIMIT {_PAGE}"
        )
        while page := journal.read(partial(_page, sql=sql, after=after)):
            for _, task_id, content, status in page:
                if belongs(content):
                    (found.ended if status in _ENDED else found.live).add(task_id)
            after = page[-1][0]
    found.ended -= found.live
    return found


def delete(journal: Access, task_ids: Collection[str]) -> int:
    """Delete all rows of some tasks; return how many. What is still owed to the broker stays: it must not come back.

    Parameters:
      task_ids: Of tasks that have come to an end, here or on another node.

    Raises:
      JournalUnavailable: For now.
    """
    ids = sorted(task_ids)
    pages = (ids[start : start + _PAGE] for start in range(0, len(ids), _PAGE))
    return sum(journal.write(partial(_delete, ids=json.dumps(page)), durable=True) for page in pages)


def _page(connection: apsw.Connection, sql: str, after: Any) -> list[Any]:
    return list(connection.execute(sql, (after,)))


def _delete(connection: apsw.Connection, ids: str) -> int:
    rows = 0
    for statement in _DELETES:
        connection.execute(statement, (ids,))
        rows += connection.changes()
    return rows
