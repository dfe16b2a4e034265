"""The journals of all nodes in one table: what the monitor reads, and where a task's last word is kept."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import peewee

from growbin_jobs.engine.central import task_copy as incoming
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.minutes_due import touch
from growbin_jobs.engine.central.task_copy import Family
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.journal.tables.changes import Page


class TaskRow(peewee.Model):
    """Table ``tasks``. ``migrations/`` creates it; a test holds the two together."""

    task_id = peewee.TextField(primary_key=True)
    node = peewee.TextField()
    task_name = peewee.TextField()
    queue_name = peewee.TextField()
    payload = peewee.TextField()
    status = peewee.TextField()
    delivery_tag = peewee.BigIntegerField(null=True)
    created_at = UtcField()
    started_at = UtcField(null=True)
    completed_at = UtcField(null=True)
    error = peewee.TextField(null=True)
    retry_count = peewee.BigIntegerField()
    result = peewee.TextField(null=True)
    worker = peewee.TextField(null=True)
    synced_at = UtcField()
    deferrals = peewee.BigIntegerField()
    crashes = peewee.BigIntegerField()
    due_at = UtcField(null=True)
    seq = peewee.BigIntegerField()
    parent_id = peewee.TextField(null=True)
    root_id = peewee.TextField(null=True)

    class Meta:
        table_name = "tasks"
        indexes = ((("status", "created_at"), False), (("created_at",), False), (("completed_at",), False))


TaskRow.add_index(TaskRow.index(TaskRow.root_id, where=peewee.SQL("root_id IS NOT NULL")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The last word on a task, from whichever node had it. Times are aware, in UTC.

    Attributes:
      node: Whose journal says so.
      payload, result: What the JSON says.
      due_at: When its retry is due, or the message itself while it is pending.
      seq: Number of the change in that node's journal.
      parent_id: The task that sent it. None: a producer, or nobody knows yet.
      root_id: The first task of the chain in which it was sent. None where there is no parent.
    """

    task_id: str
    node: str
    task_name: str
    queue_name: str
    payload: Any
    status: TaskState
    delivery_tag: int | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    error: str | None
    retry_count: int
    result: Any
    worker: str | None
    synced_at: datetime
    deferrals: int
    crashes: int
    due_at: datetime | None
    seq: int
    parent_id: str | None = None
    root_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: times in ISO 8601, the status as its word."""
        times = {name: value.isoformat() for name, value in asdict(self).items() if isinstance(value, datetime)}
        return asdict(self) | times | {"status": self.status.value}


class Tasks:
    """The only writer of ``tasks``.

    One row a task. Where two nodes know a task, the one that knows better has it: ``completed`` is never left;
    ``dead`` gives way to ``completed`` of another node only; ``pending`` of one gives way to everything of another;
    else the later start or end counts. What one node says follows its own order of changes, so that a dead task that a
    person retries is alive again.

    Parameters:
      database: Where the table is.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def rendering(self) -> str:
        """What to select of each row of a page for :meth:`absorb`; see ``task_copy``."""
        return incoming.rendering(self.database.dialect)

    def absorb(self, page: Page, families: Mapping[str, Family]) -> int:
        """Take over rows of a node's journal, all or none, in one transaction. Not in a gevent process.

        The figures of the minutes in which they ended are computed anew.

        Parameters:
          page: Selected with :attr:`rendering`.
          families: Who sent them, by task, as far as it is known; of tasks of this page.

        Returns:
          How many it has taken over. It knew better of the others, or they have changed since.

        Raises:
          Deferred: The database is away.
          Permanent: It refuses a value; nothing of these rows was stored.
        """
        dialect = self.database.dialect

        def work(connection: peewee.Database) -> int:
            with incoming.source(connection, dialect, page), connection.atomic():
                taken = incoming.absorb(connection, dialect, page, families)
                touch(connection, dialect, page.minutes())
            return taken

        return self.database.run(work)

    def get(self, task_id: str) -> Task | None:
        """Return one task, or None."""
        rows = self.database.rows(TaskRow.select().where(TaskRow.task_id == task_id))
        return _view(rows[0]) if rows else None

    def get_many(self, task_ids: Collection[str]) -> list[Task]:
        """Return those of these tasks that are known, in no order."""
        return [_view(row) for row in self.database.rows(TaskRow.select().where(TaskRow.task_id.in_(list(task_ids))))]

    def family(self, root_id: str, *, limit: int = 1000) -> list[Task]:
        """Return the first task of a chain and all that were sent in it, in the order in which they were created."""
        which = (TaskRow.task_id == root_id) | (TaskRow.root_id == root_id)
        query = TaskRow.select().where(which).order_by(TaskRow.created_at, TaskRow.task_id).limit(limit)
        return [_view(row) for row in self.database.rows(query)]

    def mentioning(self, text: str, *, task_name: str, since: datetime, until: datetime, limit: int) -> list[Task]:
        """Return tasks of an actor whose message contains a text, oldest first.

        Reads all tasks that were created in that time: keep it short.

        Parameters:
          since, until: When they were created.
        """
        within = TaskRow.created_at.between(since, until) & (TaskRow.task_name == task_name)
        # Not LIKE: with capitals and small letters alike it takes PostgreSQL several times as long.
        place = peewee.fn.strpos if self.database.dialect == "postgresql" else peewee.fn.instr
        query = TaskRow.select().where(within & (place(TaskRow.payload, text) > 0)).order_by(TaskRow.created_at)
        return [_view(row) for row in self.database.rows(query.limit(limit))]

    def recent(self, limit: int, *, status: TaskState | None = None) -> list[Task]:
        """Return the tasks that were created last, newest first; of one state where asked."""
        query = TaskRow.select().order_by(TaskRow.created_at.desc(), TaskRow.task_id.desc()).limit(limit)
        if status is not None:
            query = query.where(TaskRow.status == status.value)
        return [_view(row) for row in self.database.rows(query)]

    def waiting_by_queue(self, *, most: int = 100_000) -> dict[str, int] | None:
        """Return how many tasks of each queue have not ended and do not run; None: they are more than are counted."""
        waits = TaskRow.status.in_([TaskState.PENDING.value, TaskState.FAILED.value])
        some = TaskRow.select(TaskRow.queue_name).where(waits).limit(most + 1).alias("some")
        query = peewee.Select([some], [some.c.queue_name, peewee.fn.COUNT(1).alias("n")]).group_by(some.c.queue_name)
        found = {row["queue_name"]: row["n"] for row in self.database.rows(query)}
        return found if sum(found.values()) <= most else None

    def count_by_status(self) -> dict[TaskState, int]:
        """Return how many tasks are in each state, zeros included."""
        query = TaskRow.select(TaskRow.status, peewee.fn.COUNT(TaskRow.task_id).alias("n")).group_by(TaskRow.status)
        found = {row["status"]: row["n"] for row in self.database.rows(query)}
        return {state: found.get(state.value, 0) for state in TaskState}


def _view(row: Mapping[str, Any]) -> Task:
    values = {field.name: row[field.name] for field in fields(Task)}
    parsed = {name: _parsed(row[name]) for name in ("payload", "result")}
    return Task(**values | parsed | {"status": TaskState(row["status"])})


def _parsed(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text
