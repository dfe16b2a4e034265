"""How messages that the broker has taken over enter the table ``tasks``: as pending, and with who sent them.

A row that is there stays as it is, whatever wrote it; it only learns who sent its message. So the order in which nodes
tell of a message, of its start and of its end makes no difference.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import peewee

from growbin_jobs.engine.central import bulk
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.task_copy import iso
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.journal.tables.sent import SentMessage

COLUMNS: Final = (
    "task_id", "node", "task_name", "queue_name", "payload", "status", "created_at", "due_at", "synced_at", "seq",
    "parent_id", "root_id", "retry_count", "deferrals", "crashes",
)  # fmt: skip

_LEARN: Final = """(task_id) DO UPDATE SET parent_id = excluded.parent_id, root_id = excluded.root_id
    WHERE tasks.parent_id IS NULL AND excluded.parent_id IS NOT NULL"""

#: What was sent by a task of which nobody knew then that another one had sent it.
_REPAIR: Final = {
    "postgresql": """
        UPDATE tasks SET root_id = known.root
        FROM (SELECT unnest(%s::text[]) AS id, unnest(%s::text[]) AS root) AS known WHERE tasks.root_id = known.id
    """,
    "sqlite": "UPDATE tasks SET root_id = ? WHERE root_id = ?",
}


class Family(NamedTuple):
    """Who sent a task's message: the parent, and the first task of the chain."""

    parent_id: str
    root_id: str


def absorb(
    connection: peewee.Database,
    dialect: Dialect,
    messages: Sequence[SentMessage],
    families: Mapping[str, Family],
    *,
    node: str,
    at: datetime,
) -> None:
    """Add messages as pending tasks, or tell tasks who sent them; the caller has begun a transaction.

    Parameters:
      families: Of those that a task has sent, by message.
      node: Whose journal says so.
    """
    unsent = (None, None)
    rows = [
        (
            storable(each.message_id), node, storable(each.task_name), storable(each.queue_name),
            storable(each.body.decode("utf-8", "replace")), TaskState.PENDING.value, iso(each.created_at),
            iso(each.due_at), at.astimezone(UTC).isoformat(timespec="microseconds"), each.seq,
            *map(_stored, families.get(each.message_id, unsent)), 0, 0, 0,
        )
        for each in messages
    ]  # fmt: skip
    rows.sort()  # by id, so that two keepers that bring the same tasks never wait for each other in a circle
    bulk.insert(connection, dialect, "tasks", COLUMNS, rows, _LEARN)


def repair(connection: peewee.Database, dialect: Dialect, first: Mapping[str, str]) -> None:
    """Lead descendants of tasks, whose own senders have only now become known, to the first task of their chain.

    Parameters:
      first: By task.
    """
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    pairs = sorted((storable(task_id), storable(root)) for task_id, root in first.items())
    if dialect == "sqlite":
        raw.cursor().executemany(_REPAIR[dialect], [(root, task_id) for task_id, root in pairs])
        return
    with raw.cursor() as cursor:
        cursor.execute(_REPAIR[dialect], ([task_id for task_id, _ in pairs], [root for _, root in pairs]))


def without_parent(connection: peewee.Database, dialect: Dialect, task_ids: Collection[str]) -> set[str]:
    """Return those of some tasks that do not say who sent them."""
    return {row[0] for row in _select(connection, dialect, "task_id", "parent_id IS NULL", task_ids)}


def roots(connection: peewee.Database, dialect: Dialect, task_ids: Collection[str]) -> dict[str, str]:
    """Return the first task of the chain of each of some tasks that were sent by others."""
    return {row[0]: row[1] for row in _select(connection, dialect, "task_id, root_id", "root_id IS NOT NULL", task_ids)}


def _select(
    connection: peewee.Database, dialect: Dialect, columns: str, condition: str, task_ids: Collection[str]
) -> list[Any]:
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    ids = [storable(each) for each in task_ids]
    query = f"SELECT {columns} FROM tasks WHERE {condition} AND task_id"  # noqa: S608 constants only
    cursor = raw.cursor()
    try:
        if dialect == "sqlite":
            cursor.execute(f"{query} IN (SELECT value FROM json_each(?))", (json.dumps(ids),))  # noqa: S608
        else:
            cursor.execute(f"{query} = ANY(%s)", (ids,))
        return list(cursor.fetchall())
    finally:
        cursor.close()


def _stored(text: str | None) -> str | None:
    return None if text is None else storable(text)
