"""Messages that people let run again under a new id, and which task each of them was made from.

A row is the wish and the link in one. A keeper takes a wish that is not sent into its journal, from where its message
goes to the broker (``engine/keeper/send_reruns.py``): so whoever asks needs nothing but the database, and a wish is
never lost. Of all who ask for the same task at once, one gets a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.errors import Conflict

#: A rerun of which nothing was heard for so long does not stand in the way of another one.
FORGOTTEN: Final = timedelta(hours=24)

_COLUMNS: Final = "task_id, rerun_of, number, kind, task_name, queue_name, due_at, by, reason, at, carried_by, sent_at"
_MOMENTS: Final = UtcField()


class Kind(StrEnum):
    """How the new message differs: not at all, or in what a person has edited; then the old one is superseded."""

    AGAIN = "again"
    EDITED = "edited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A message to be sent.

    Attributes:
      task_id: Its id, a new one.
      rerun_of: The task that it was made from.
      body: The encoded message.
      due_at: Not to be delivered before; None: at once.
      by, reason: Who wants it and why.
    """

    task_id: str
    rerun_of: str
    kind: Kind
    task_name: str
    queue_name: str
    body: bytes
    by: str
    reason: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """A task that was made from another one. Times are aware, in UTC.

    Attributes:
      task_id: The new one.
      rerun_of: The task that it was made from.
      number: How many were made from that one, this one included.
      carried_by: The node that sends it.
      sent_at: When that has it; None: not yet.
    """

    task_id: str
    rerun_of: str
    number: int
    kind: Kind
    task_name: str
    queue_name: str
    due_at: datetime | None
    by: str
    reason: str
    at: datetime
    carried_by: str | None
    sent_at: datetime | None


class Reruns:
    """The only writer of ``task_reruns``.

    Parameters:
      database: Where the table is.

    Every method raises Deferred when the database is away (:meth:`Database.run`).
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._sql = SqlWords(database.dialect)

    # --- for people

    def add(self, connection: Any, wish: Wish, *, seen: int | None, at: datetime) -> Rerun:
        """Write a wish down, inside of a transaction.

        Parameters:
          seen: How many reruns of the same task the person knows of; who knows of fewer than there are was too late.
            None: they do not say; then an earlier rerun must have ended.

        Raises:
          Conflict: Somebody else was first.
        """
        earlier = self._of(connection, wish.rerun_of)
        last = earlier[-1] if earlier else None
        if last is not None and (len(earlier) > seen if seen is not None else self._goes_on(connection, last, at)):
            raise _too_late(last)
        values = (
            wish.task_id, wish.rerun_of, len(earlier) + 1, wish.kind.value, storable(wish.task_name),
            storable(wish.queue_name), wish.body, _moment(wish.due_at), storable(wish.by), storable(wish.reason),
            _moment(at),
        )  # fmt: skip
        sql = (
            "INSERT INTO task_reruns (task_id, rerun_of, number, kind, task_name, queue_name, body, due_at, by, reason,"
            " at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        )
        if not self._sql.run(connection, sql, *values):
            raise _too_late(self._of(connection, wish.rerun_of)[-1])
        return self._of(connection, wish.rerun_of)[-1]

    def of(self, task_id: str) -> list[Rerun]:
        """Return the tasks that were made from a task, the first one first."""
        return self.database.run(lambda connection: self._of(connection, storable(task_id)))

    def origin(self, task_id: str) -> Rerun | None:
        """Return what a task was made from, or None."""
        sql = f"SELECT {_COLUMNS} FROM task_reruns WHERE task_id = ?"  # noqa: S608 constants only
        rows = self.database.run(lambda connection: self._sql.rows(connection, sql, storable(task_id)))
        return _view(rows[0]) if rows else None

    # --- for the keepers

    def waiting(self, *, limit: int = 200) -> list[Rerun]:
        """Return those that nobody has sent, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM task_reruns WHERE sent_at IS NULL ORDER BY at LIMIT ?"  # noqa: S608
        return [_view(row) for row in self.database.run(lambda connection: self._sql.rows(connection, sql, limit))]

    def carry(self, rerun: Rerun, *, node: str) -> bytes | None:
        """Be the node that sends a message, in place of the one that had begun; return it, or None where another is."""
        as_seen = "carried_by IS NULL" if rerun.carried_by is None else "carried_by = ?"
        seen = [] if rerun.carried_by is None else [rerun.carried_by]
        sql = (
            f"UPDATE task_reruns SET carried_by = ? WHERE task_id = ? AND sent_at IS NULL AND {as_seen} RETURNING body"  # noqa: S608
        )
        rows = self.database.run(lambda connection: self._sql.rows(connection, sql, node, rerun.task_id, *seen))
        return bytes(rows[0][0]) if rows else None

    def sent(self, rerun: Rerun, *, at: datetime) -> None:
        """Note that a journal has a message for good; its text is not needed here any more."""
        sql = "UPDATE task_reruns SET sent_at = ?, body = ? WHERE task_id = ? AND sent_at IS NULL"
        self.database.run(lambda connection: self._sql.run(connection, sql, _moment(at), b"", rerun.task_id))

    def _of(self, connection: Any, task_id: str) -> list[Rerun]:
        sql = f"SELECT {_COLUMNS} FROM task_reruns WHERE rerun_of = ? ORDER BY number"  # noqa: S608
        return [_view(row) for row in self._sql.rows(connection, sql, task_id)]

    def _goes_on(self, connection: Any, last: Rerun, now: datetime) -> bool:
        rows = self._sql.rows(connection, "SELECT status FROM tasks WHERE task_id = ?", last.task_id)
        if rows:
            return rows[0][0] not in (TaskState.COMPLETED.value, TaskState.DEAD.value)
        return max(last.due_at or last.at, last.sent_at or last.at) > now - FORGOTTEN


def _too_late(last: Rerun) -> Conflict:
    when = last.at.strftime("%Y-%m-%d %H:%M:%S")
    return Conflict(
        f"{last.by} has let it run again at {when} UTC, as {last.task_id}. Look at that one; let it run once more only "
        "when that is what you want."
    )


def _moment(value: datetime | None) -> str | None:
    return _MOMENTS.db_value(value)


def _view(row: Sequence[Any]) -> Rerun:
    task_id, rerun_of, number, kind, task_name, queue_name, due_at, by, reason, at, carried_by, sent_at = row
    read = _MOMENTS.python_value
    return Rerun(
        task_id=task_id, rerun_of=rerun_of, number=number, kind=Kind(kind), task_name=task_name, queue_name=queue_name,
        due_at=read(due_at), by=by, reason=reason, at=read(at) or datetime.now(UTC), carried_by=carried_by,
        sent_at=read(sent_at),
    )  # fmt: skip
