"""Runs of tasks that came to nothing, from the journals of all nodes. The last run is the task's own row, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import peewee

from growbin_jobs.engine.central import bulk
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import DeadLetterRow
from growbin_jobs.engine.central.fields import UtcField, storable, utc_moment
from growbin_jobs.engine.central.minutes_due import touch
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.task_copy import iso
from growbin_jobs.engine.delivery.records import Outcome
from growbin_jobs.engine.errors import Permanent
from growbin_jobs.engine.journal.tables.attempts import UnsyncedAttempt

#: Longest task id: it has to fit into an index of PostgreSQL.
_ID_LIMIT: Final = 1000


#: Attempts of a task that are read, the newest; counted are at most so many.
MOST: Final = 200
COUNTED: Final = 100_000

#: Nodes of a task that are looked at.
_NODES: Final = 500

_READ: Final = (
    "node", "ended_at", "outcome", "task_name", "queue_name", "started_at", "worker", "retry_count", "deferrals",
    "due_at", "waited", "error",
)  # fmt: skip
_OF_NODE: Final = f"""
    SELECT {", ".join(_READ[:-1])}, substr(error, 1, 5000) FROM task_attempts WHERE task_id = ? AND node = ?
    ORDER BY ended_at DESC LIMIT ?
"""  # noqa: S608 names of ours
_NUMBER: Final = f"SELECT count(*) FROM (SELECT 1 FROM task_attempts WHERE task_id = ? LIMIT {COUNTED}) AS known"  # noqa: S608


class AttemptRow(peewee.Model):
    """Table ``task_attempts``. ``migrations/`` creates it; a test holds the two together."""

    task_id = peewee.TextField()
    node = peewee.TextField()
    ended_at = UtcField()
    outcome = peewee.TextField()
    task_name = peewee.TextField()
    queue_name = peewee.TextField()
    started_at = UtcField(null=True)
    worker = peewee.TextField(null=True)
    error = peewee.TextField(null=True)
    retry_count = peewee.BigIntegerField(null=True)
    deferrals = peewee.BigIntegerField(null=True)
    due_at = UtcField(null=True)
    waited = peewee.DoubleField(null=True)

    class Meta:
        table_name = "task_attempts"
        primary_key = peewee.CompositeKey("task_id", "node", "ended_at", "outcome")
        indexes = ((("ended_at",), False),)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAttempt:
    """A run that did not complete, on whichever node. Times are aware, in UTC.

    Attributes:
      number: Its place among those of its task that are known, from 1 on; where more than :data:`COUNTED` are known, at
        least that.
      started_at, worker, retry_count, deferrals: Of the run; None of a crash whose start nobody saw.
      ended_at: Of a crash: when it was found.
      due_at: When the run that follows is due; None: at once, or there is none.
      waited: Seconds from its message to its start; None where it is no first run.
      traceback: Of the run after which the message was given up: file, line and function, no values. Else empty.
    """

    number: int
    task_id: str
    node: str
    task_name: str
    queue_name: str
    outcome: Outcome
    started_at: datetime | None
    ended_at: datetime
    worker: str | None
    error: str | None
    retry_count: int | None
    deferrals: int | None
    due_at: datetime | None
    waited: float | None
    traceback: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: times in ISO 8601, the outcome as its word."""
        times = {name: value.isoformat() for name, value in asdict(self).items() if isinstance(value, datetime)}
        return asdict(self) | times | {"outcome": self.outcome.value}


class Attempts:
    """The only writer of ``task_attempts``. An attempt is known by its task, node, end and outcome: twice is once.

    Parameters:
      database: Where the table is.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def absorb(self, node: str, attempts: Sequence[UnsyncedAttempt]) -> None:
        """Take over attempts of a node's journal, all or none, in one transaction. Not in a gevent process.

        Raises:
          Deferred: The database is away.
          Permanent: It refuses a value; nothing of these was stored.
        """
        rows = sorted({row[:4]: row for row in (_row(node, each) for each in attempts)}.values())
        dialect, columns = self.database.dialect, [field.column_name for field in AttemptRow._meta.sorted_fields]
        minutes = {int(each.attempt.ended_at // 60) for each in attempts}

        def work(connection: peewee.Database) -> None:
            bulk.insert(connection, dialect, "task_attempts", columns, rows, "DO NOTHING")
            touch(connection, dialect, minutes)

        self.database.transaction(work)

    def of_task(self, task_id: str, *, most: int = MOST) -> list[TaskAttempt]:
        """Return the newest attempts of a task on all nodes, in the order in which they ended.

        Parameters:
          most: At most so many.
        """
        words = SqlWords(self.database.dialect)

        def read(connection: peewee.Database) -> tuple[list[Any], int]:
            # Node by node, each from its end: sorted as one, a million runs of a task would be read.
            nodes = _nodes(words, connection, task_id)
            rows = [row for node in nodes for row in words.rows(connection, _OF_NODE, task_id, node, most)]
            [(number,)] = words.rows(connection, _NUMBER, task_id)
            return rows, int(number)

        rows, number = self.database.run(read)
        views: list[dict[str, Any]] = [dict(zip(_READ, row, strict=True)) | {"task_id": task_id} for row in rows]
        for each in views:
            each |= {name: utc_moment(each[name]) for name in ("ended_at", "started_at", "due_at")}
        newest = sorted(views, key=lambda each: (each["ended_at"], each["node"]))[-most:]
        traces = self._traces(task_id, newest[0]["ended_at"]) if newest else {}
        first = max(number, len(newest)) - len(newest) + 1
        return [
            TaskAttempt(
                number=at, traceback=traces.get((each["node"], each["ended_at"]), ""),
                **(each | {"outcome": Outcome(each["outcome"])}),
            )
            for at, each in enumerate(newest, first)
        ]  # fmt: skip

    def _traces(self, task_id: str, since: datetime) -> dict[tuple[str, datetime], str]:
        letter = DeadLetterRow
        deaths = letter.select(letter.node, letter.died_at, letter.traceback)
        deaths = deaths.where((letter.task_id == task_id) & (letter.died_at >= since))
        rows = self.database.rows(deaths.order_by(letter.died_at.desc()).limit(MOST))
        return {(each["node"], each["died_at"]): each["traceback"] for each in rows}


def _nodes(words: SqlWords, connection: peewee.Database, task_id: str) -> list[str]:
    """Return the nodes on which a task has run, each found by one look into the index."""
    found: list[str] = []
    while len(found) < _NODES:
        after, values = ("AND node > ?", [found[-1]]) if found else ("", [])
        sql = f"SELECT min(node) FROM task_attempts WHERE task_id = ? {after}"  # noqa: S608 constants only
        [(node,)] = words.rows(connection, sql, task_id, *values)
        if node is None:
            break
        found.append(node)
    return found


def _row(node: str, each: UnsyncedAttempt) -> tuple[Any, ...]:
    attempt = each.attempt
    if len(attempt.task_id) > _ID_LIMIT:
        raise Permanent("request_invalid", detail="a task's id is too long")
    return (
        storable(attempt.task_id), node, iso(attempt.ended_at), attempt.outcome.value, storable(each.task_name),
        storable(each.queue_name), iso(attempt.started_at), _text(attempt.worker), _text(attempt.error),
        attempt.retry_count, attempt.deferrals, iso(attempt.due_at), each.waited,
    )  # fmt: skip


def _text(text: str | None) -> str | None:
    return None if text is None else storable(text)
