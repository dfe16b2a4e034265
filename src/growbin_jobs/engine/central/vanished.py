"""Messages that RabbitMQ has confirmed, and that neither a queue nor a worker has any more.

Whoever deletes a vhost or a queue, or purges it, takes its messages along, and RabbitMQ tells nobody which. But who
sent them has told of them, so their tasks wait for ever. That is certain only where the broker has shown the queue
empty, every node with workers of it is heard and says that they have nothing of it, and the message is older than any
pause in which it could be.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.queue_minutes import QueueMinutes
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.engine.delivery.records import TaskState

#: A message that went back to its queue is held for 375 s at most (:mod:`growbin_jobs.engine.delivery.returning`).
HELD: Final = timedelta(minutes=7)

#: How far back queues are looked at: each keeper asks the broker every 20 s, and one answer a minute is kept.
_LOOKED: Final = timedelta(minutes=4)

#: So many minutes in a row a queue must have been empty: what was on its way to a worker at the first look is there.
_LOOKS: Final = 2

#: Seconds that a node's rows may be behind.
_LAG: Final = 60.0

#: Tasks that are named at a time.
MOST_VANISHED: Final = 500


def vanished(database: Database, now: datetime, *, task_ids: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return the rows of such tasks, the oldest first; not of those that a person has let run again.

    Parameters:
      task_ids: Of these only; None: all.

    Raises:
      Deferred: The database is away.
    """
    row, found = TaskRow, list[dict[str, Any]]()
    empty = _empty_since(database, now)
    if not empty:
        return found
    paused = _paused(database, "actor")
    for queue, since in empty.items():
        before = since - HELD
        query = row.select().where(
            row.status.in_([TaskState.PENDING.value, TaskState.FAILED.value])
            & (row.queue_name == storable(queue))
            & (row.created_at < before)
            & (row.synced_at < before)
            & (row.due_at.is_null() | (row.due_at < before))
            & (row.crashes == 0)  # a suspect waits at a worker for its turn alone
            & row.task_name.not_in(sorted(paused))
            & peewee.SQL("task_id NOT IN (SELECT rerun_of FROM task_reruns)")
        )
        if task_ids is not None:
            query = query.where(row.task_id.in_([storable(each) for each in task_ids]))
        found += database.rows(query.order_by(row.created_at).limit(MOST_VANISHED))
    return sorted(found, key=lambda each: each["created_at"])[:MOST_VANISHED]


def _empty_since(database: Database, now: datetime) -> dict[str, datetime]:
    """Return the queues that are empty at the broker and at all their workers, and since when they surely are."""
    looks: dict[str, list[tuple[datetime, int]]] = {}
    for look in QueueMinutes(database).read(now - _LOOKED, now):
        looks.setdefault(look.queue_name, []).append((look.minute, look.ready))
    empty = {
        queue: seen[-_LOOKS][0]
        for queue, seen in looks.items()
        if len(seen) >= _LOOKS and not any(ready for _, ready in seen[-_LOOKS:])
    }
    if not empty:
        return empty
    for queue in _paused(database, "queue"):
        empty.pop(queue, None)
    for group in Workers(database).all():
        if not _has_nothing(group, now):
            for queue in group.queues:
                empty.pop(queue, None)
    return empty


def _paused(database: Database, target: str) -> set[str]:
    """Return the actors or queues that somebody has paused: their messages are held back."""
    sql, words = "SELECT name FROM control WHERE target = ?", SqlWords(database.dialect)
    return {name for (name,) in database.run(lambda connection: words.rows(connection, sql, target))}


def _has_nothing(group: WorkerGroup, now: datetime) -> bool:
    """Return whether a node surely has no message of a group's queues, and has told of what it had."""
    if group.owed or (group.stopped_at is not None and group.unsynced):
        return False
    if group.stopped_at is not None:
        return True
    return group.lives(now) and group.reserved == 0 and group.lag < _LAG
