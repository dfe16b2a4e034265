"""Settles finished messages of the embedded broker, many in one transaction, together with what they have sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from dramatiq.common import current_millis

from growbin_jobs.engine.broker.embedded.queue import EmbeddedQueue
from growbin_jobs.engine.broker.embedded.store import EmbeddedStore
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import PendingAck
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.sqlite.coalescer import Coalescer, Submit
from growbin_jobs.engine.sqlite.errors import VALUE_ERRORS


class Settles(Protocol):
    """The consumer of a delivery."""

    def settle_in(self, queue: EmbeddedQueue, pending_ack: PendingAck) -> None:
        """Settle it inside a transaction."""

    def settled(self, pending_ack: PendingAck) -> None:
        """Note, in any thread, that the transaction is committed."""


class Entry(NamedTuple):
    """A delivery to be settled.

    Attributes:
      priorities: Of the messages in its outbox.
      consumer: Who delivered it.
      refuses: Put messages that SQLite cannot hold among the dead letters.
    """

    pending_ack: PendingAck
    priorities: Sequence[int]
    consumer: Settles
    refuses: bool = False


class Settlements(Coalescer[EmbeddedStore, Entry, None]):
    """The settlements of one process. A message that can never be stored becomes a dead letter and blocks no other.

    Parameters:
      submit: Runs a call in a transaction. On the disk before the journal deletes the outbox: after a power cut the
        broker must not know less than it.
    """

    def __init__(self, submit: Submit[EmbeddedStore]) -> None:
        super().__init__(submit, _settle, self._settled)

    def _settled(self, entry: Entry, error: BaseException | None, _result: None) -> None:
        pending_ack = entry.pending_ack
        if isinstance(error, VALUE_ERRORS) and not entry.refuses:
            self.add(entry._replace(refuses=True))
            return
        if error is None:
            for _message in pending_ack.outbox:
                crashpoint("publish.after")
            crashpoint("ack.after")
            entry.consumer.settled(pending_ack)
        pending_ack.then(pending_ack, error)


def put(queue: EmbeddedQueue, message: OutboxMessage, priority: int, *, now: int) -> None:
    """Put a message of an outbox into its queue; ``now`` in milliseconds."""
    due = now if message.due_at is None else max(now, int(message.due_at * 1000))
    queue.put(message.queue_name, message.message_id, message.body, priority=priority, due=due, now=now)


# --- in the thread of the transactions


def _settle(store: EmbeddedStore, entries: Sequence[Entry]) -> None:
    queue, now = store.queue, current_millis()
    for entry in entries:
        for message, priority in zip(entry.pending_ack.outbox, entry.priorities, strict=True):
            crashpoint("publish.before")
            (_put_or_refuse if entry.refuses else put)(queue, message, priority, now=now)
        crashpoint("ack.before")
        entry.consumer.settle_in(queue, entry.pending_ack)


def _put_or_refuse(queue: EmbeddedQueue, message: OutboxMessage, priority: int, *, now: int) -> None:
    try:
        put(queue, message, priority, now=now)
    except VALUE_ERRORS as error:
        reason = f"it cannot be stored ({type(error).__name__})"
        queue.refuse(message.queue_name, message.message_id, message.body, reason=reason, now=now)
