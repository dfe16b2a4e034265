"""Tells the central database of a message that a producer has just sent, where nobody else would before it starts.

The embedded broker's file is read by keepers, and what tasks send is in journals; but RabbitMQ's queues cannot be read
without taking the messages out. So a producer that reaches the central database anyway tells of its message itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.delivery.records import TaskState


def tell_sent(database: Database, message: Any, *, node: str) -> None:
    """Add a pending row, unless somebody has told of the message already.

    Parameters:
      database: The central one.
      message: As the broker has it: a Dramatiq message.
      node: Of the producer. Its number is 0, so whatever any journal says of the message later is newer.

    Raises:
      Deferred: The database is away. The message is sent all the same.
    """
    row = {
        "task_id": storable(message.message_id), "node": node, "task_name": storable(message.actor_name),
        "queue_name": storable(message.queue_name), "payload": storable(message.encode().decode("utf-8", "replace")),
        "status": TaskState.PENDING.value, "created_at": datetime.fromtimestamp(message.message_timestamp / 1000, UTC),
        "synced_at": datetime.now(UTC), "seq": 0, "retry_count": 0, "deferrals": 0, "crashes": 0,
    }  # fmt: skip
    query = TaskRow.insert(row).on_conflict_ignore()
    database.run(lambda connection: query.execute(connection))
