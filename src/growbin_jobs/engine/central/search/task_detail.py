"""One task as a page shows it: of its message, result and error the beginning, so that 14 MB cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.search import lines
from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.sql_words import SqlWords

Part = Literal["payload", "result", "error"]

#: Characters that a page shows at first, and of one piece of a download.
SHOWN: Final = 65_536
_PIECE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Preview:
    """The beginning of a text.

    Attributes:
      length: Characters of the whole.
    """

    text: str
    length: int

    @property
    def is_whole(self) -> bool:
        """Is nothing missing?"""
        return len(self.text) >= self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDetail:
    """What the central database knows of a task. ``payload``: the whole message, as JSON unless it is none."""

    task: TaskLine
    payload: Preview | None
    result: Preview | None
    error: Preview | None


class TaskDetails:
    """Reads single tasks.

    Parameters:
      database: The central one; every method raises Deferred when it is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._words = SqlWords(database.dialect)

    def get(self, task_id: str) -> TaskDetail | None:
        """Return one task, or None."""
        parts: tuple[Part, ...] = ("payload", "result", "error")
        long = ", ".join(f"substr({part}, 1, {SHOWN}), length({part})" for part in parts)
        columns = ", ".join([*lines.NAMES, f"substr(error, 1, {lines.ERROR_SHOWN})", long])
        sql = f"SELECT {columns} FROM tasks WHERE task_id = ?"  # noqa: S608 constants only
        rows = self._database.run(lambda connection: self._words.rows(connection, sql, _storable_id(task_id)))
        if not rows:
            return None
        at = len(lines.NAMES) + 1
        previews = {
            part: None
            if rows[0][at + 2 * number] is None
            else Preview(rows[0][at + 2 * number], rows[0][at + 2 * number + 1])
            for number, part in enumerate(parts)
        }
        return TaskDetail(task=lines.line(rows[0]), **previews)

    def some(self, task_ids: list[str]) -> list[TaskLine]:
        """Return those of these tasks that are known, oldest first."""
        if not task_ids:
            return []
        columns = ", ".join([*lines.NAMES, f"substr(error, 1, {lines.ERROR_SHOWN})"])
        marks = ", ".join("?" * len(task_ids))
        sql = f"SELECT {columns} FROM tasks WHERE task_id IN ({marks}) ORDER BY created_at, task_id"  # noqa: S608
        ids = [_storable_id(task_id) for task_id in task_ids]
        return [
            lines.line(row) for row in self._database.run(lambda connection: self._words.rows(connection, sql, *ids))
        ]

    def family(self, root_id: str, *, limit: int = 200) -> list[TaskLine]:
        """Return the first task of a chain and all that were sent in it, oldest first."""
        columns = ", ".join([*lines.NAMES, f"substr(error, 1, {lines.ERROR_SHOWN})"])
        sql = f"SELECT {columns} FROM tasks WHERE task_id = ? OR root_id = ? ORDER BY created_at, task_id LIMIT ?"  # noqa: S608
        its = _storable_id(root_id)
        return [
            lines.line(row)
            for row in self._database.run(lambda connection: self._words.rows(connection, sql, its, its, limit))
        ]

    def pieces(self, task_id: str, part: Part) -> Iterator[str]:
        """Yield a whole text, a piece at a time."""
        begin = 1
        sql = f"SELECT substr({part}, ?, {_PIECE}) FROM tasks WHERE task_id = ?"  # noqa: S608 one of three words
        while True:
            rows = self._database.run(
                lambda connection, begin=begin: self._words.rows(connection, sql, begin, _storable_id(task_id))  # type: ignore[misc]
            )
            if not rows or not rows[0][0]:
                return
            yield rows[0][0]
            begin += _PIECE


def _storable_id(task_id: str) -> str:
    return task_id.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
