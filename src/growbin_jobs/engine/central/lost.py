"""What is lost: tasks and workers of nodes that have fallen silent, and messages that nobody has any more.

A node whose keeper reports to ``workers`` no more is dead, or cut off. What it ran is told to nobody; the message is
not lost with it: RabbitMQ delivers it again once the node's connection has ended, the embedded broker once its process
is gone or the node is back. What nobody has any more (:mod:`growbin_jobs.engine.central.vanished`) runs again only when
a person says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import DeadLetterRow
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.vanished import vanished
from growbin_jobs.engine.central.workers import SILENCE, WorkerGroup, Workers
from growbin_jobs.engine.delivery.records import TaskState


class Fate(StrEnum):
    """What becomes of a lost task.

    ``redelivered``: the broker delivers it to another worker when the node's connection ends. ``returns``: it goes on
    when the node, or another process on its data folder, runs again. ``vanished``: neither the broker nor a worker has
    it, since somebody has deleted or emptied its queue; a person may let it run again.
    """

    REDELIVERED = "redelivered"
    RETURNS = "returns"
    VANISHED = "vanished"


@dataclass(frozen=True, slots=True, kw_only=True)
class LostTask:
    """A task that was running when its node fell silent, or waits for nothing.

    ``last_seen``: its node's last heartbeat, if it is known.
    """

    task_id: str
    node: str
    task_name: str
    queue_name: str
    worker: str | None
    started_at: datetime | None
    last_seen: datetime | None
    fate: Fate

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: times in ISO 8601."""
        times = {name: value.isoformat() for name, value in asdict(self).items() if isinstance(value, datetime)}
        return asdict(self) | times | {"fate": self.fate.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneNode:
    """A node that works no more.

    Attributes:
      groups: Its worker groups.
      last_seen: Its last heartbeat.
      stopped: It has said that it stops; else it fell silent.
      lost: Tasks that it was running.
      unsynced, owed: Rows and messages that only its journal has, as of the last heartbeat.
      dead_letters: Of it, that nobody has dealt with.
    """

    node: str
    groups: list[str]
    last_seen: datetime
    stopped: bool
    lost: int
    unsynced: int
    owed: int
    dead_letters: int

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: times in ISO 8601."""
        return asdict(self) | {"last_seen": self.last_seen.isoformat()}


class Lost:
    """Looks for what is lost.

    Parameters:
      database: Where the tables are.
      embedded: The broker is the embedded one.

    Every method raises Deferred when the database is away (:meth:`Database.run`).
    """

    def __init__(self, database: Database, *, embedded: bool) -> None:
        self._database = database
        self._workers = Workers(database)
        self._fate = Fate.RETURNS if embedded else Fate.REDELIVERED

    def silent(self, now: datetime) -> dict[str, datetime]:
        """Return the nodes of which no group reports any more, each with its last heartbeat."""
        return {node: max(each.seen_at for each in groups) for node, groups in self._gone(now).items()}

    def tasks(self, now: datetime, *, task_ids: Collection[str] | None = None, limit: int = 1000) -> list[LostTask]:
        """Return tasks that a silent node ran, those that began first before others.

        Parameters:
          task_ids: Of these only; None: all.
        """
        row = TaskRow
        living = self.living(now)
        query = row.select().where((row.status == TaskState.RUNNING.value) & row.node.not_in(sorted(living)))
        if task_ids is not None:
            query = query.where(row.task_id.in_(list(task_ids)))
        # One that began a moment ago may be of a node whose first heartbeat is on its way.
        query = query.where((row.started_at.is_null()) | (row.started_at < now - SILENCE))
        seen = self.silent(now)
        return [
            LostTask(
                task_id=each["task_id"], node=each["node"], task_name=each["task_name"], queue_name=each["queue_name"],
                worker=each["worker"], started_at=each["started_at"], last_seen=seen.get(each["node"]),
                fate=self._fate,
            )
            for each in self._database.rows(query.order_by(row.started_at).limit(limit))
        ]  # fmt: skip

    def vanished(self, now: datetime, *, task_ids: Collection[str] | None = None) -> list[LostTask]:
        """Return tasks whose messages neither the broker nor a worker has any more, as far as that is certain.

        Parameters:
          task_ids: Of these only; None: all, the oldest first, and at most so many as are named at a time.
        """
        if self._fate is Fate.RETURNS or (task_ids is not None and not task_ids):
            return []  # the embedded broker's file tells of each of its messages
        seen = self.silent(now)
        return [
            LostTask(
                task_id=each["task_id"], node=each["node"], task_name=each["task_name"], queue_name=each["queue_name"],
                worker=None, started_at=each["started_at"], last_seen=seen.get(each["node"]), fate=Fate.VANISHED,
            )
            for each in vanished(self._database, now, task_ids=task_ids)
        ]  # fmt: skip

    def nodes(self, now: datetime) -> list[GoneNode]:
        """Return the nodes that work no more, the last one to go first."""
        gone = self._gone(now)
        running = self._count(TaskRow, TaskRow.status == TaskState.RUNNING.value, gone)
        letter = DeadLetterRow
        is_open = letter.retried_at.is_null() & letter.discarded_at.is_null() & letter.taken_by.is_null()
        letters = self._count(letter, is_open, gone)
        found = [
            GoneNode(
                node=node, groups=sorted(each.group_name for each in groups),
                last_seen=max(each.seen_at for each in groups),
                stopped=all(each.stopped_at is not None for each in groups), lost=running.get(node, 0),
                unsynced=max(each.unsynced for each in groups), owed=max(each.owed for each in groups),
                dead_letters=letters.get(node, 0),
            )
            for node, groups in gone.items()
        ]  # fmt: skip
        return sorted(found, key=lambda each: each.last_seen, reverse=True)

    def _groups(self) -> dict[str, list[WorkerGroup]]:
        groups: dict[str, list[WorkerGroup]] = defaultdict(list)
        for each in self._workers.all():
            groups[each.node].append(each)
        return groups

    def _gone(self, now: datetime) -> dict[str, list[WorkerGroup]]:
        return {node: groups for node, groups in self._groups().items() if not any(each.lives(now) for each in groups)}

    def living(self, now: datetime) -> set[str]:
        """Return the nodes that report."""
        return {node for node, groups in self._groups().items() if any(each.lives(now) for each in groups)}

    def _count(self, model: type[peewee.Model], condition: Any, nodes: Collection[str]) -> dict[str, int]:
        if not nodes:
            return {}
        node: Any = model._meta.fields["node"]
        query = model.select(node, peewee.fn.COUNT(peewee.SQL("1")).alias("n")).where(condition & node.in_(list(nodes)))
        return {each["node"]: each["n"] for each in self._database.rows(query.group_by(node))}
