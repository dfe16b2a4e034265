"""What a running message sends: kept until its run has ended, then committed with its end, and only then published.

Follow-ups have the id ``uuid5(parent id, actor, ordinal)``: a second run of the same message makes the same ones. A
message that sends itself anew, to be retried or put off, keeps its id. So does one whose sender has chosen an id that
is no random UUID, for instance one made from a due time.

The outbox belongs to the thread or greenlet that runs the message. What a thread started by an actor sends, and what
is sent after the end, is published at once like any producer's message.
"""

from __future__ import annotations

import json
import time
from contextvars import ContextVar
from typing import Any

from dramatiq import Message
from dramatiq.broker import Broker

from growbin_jobs.engine.delivery.admission import check, encoded
from growbin_jobs.engine.delivery.codec import assemble
from growbin_jobs.engine.delivery.ids import follow_up_id, is_random
from growbin_jobs.engine.delivery.records import OutboxMessage

_current: ContextVar[Outbox | None] = ContextVar("outbox", default=None)


class Outbox:
    """The messages that one run has sent so far.

    Parameters:
      broker: Who delivered the message; what is sent through another broker is not ours.
      parent_id: Of the message that runs. Not the message itself, which knows its outbox: a cycle for each message
        would be left to Python's collector.
    """

    __slots__ = ("_broker", "_counts", "_owed", "closed", "parent_id")

    def __init__(self, broker: Broker, parent_id: str) -> None:
        self.parent_id = parent_id
        self.closed = False
        self._broker = broker
        self._owed: list[OutboxMessage] = []
        self._counts: dict[str, int] = {}

    def open(self) -> None:
        """Take what this thread or greenlet sends from now on."""
        _current.set(self)

    def take(self, message: Message[Any], delay: int | None) -> Message[Any]:
        """Be the broker's ``enqueue``: keep a message, and return it under the id that it will have.

        Parameters:
          message: What is sent.
          delay: Milliseconds from now before which it must not be delivered.

        Raises:
          ValueError: It could never be published; nothing was kept.
        """
        check(message, delay)
        message = self._identified(message)
        self._broker.emit_before("enqueue", message, delay)
        self._put(message, delay)
        self._broker.emit_after("enqueue", message, delay)
        return message

    def forget(self) -> None:
        """Drop what the actor has sent: it has failed, and its next run will send it again."""
        self._owed.clear()

    def close(self) -> tuple[OutboxMessage, ...]:
        """Take nothing more, and return what was sent, in order."""
        self.closed = True
        _current.set(None)
        return tuple(self._owed)

    def _identified(self, message: Message[Any]) -> Message[Any]:
        ordinal = self._counts.get(message.actor_name, 0)
        self._counts[message.actor_name] = ordinal + 1
        message_id = message.message_id
        if message_id == self.parent_id or not is_random(message_id):
            return message
        return assemble(vars(message) | {"message_id": follow_up_id(self.parent_id, message.actor_name, ordinal)})

    def _put(self, message: Message[Any], delay: int | None) -> None:
        self._owed.append(
            OutboxMessage(
                message_id=message.message_id,
                task_name=message.actor_name,
                queue_name=message.queue_name,
                body=encoded(message),
                parent_id=self.parent_id,
                due_at=None if delay is None else time.time() + delay / 1000,
                ordinal=len(self._owed),
            )
        )


def outbox_of(broker: Broker) -> Outbox | None:
    """Return the outbox of the message of this broker that the calling thread or greenlet runs."""
    outbox = _current.get()
    # A greenlet that an actor has started begins with a copy of its context, and may outlive it.
    return outbox if outbox is not None and not outbox.closed and outbox._broker is broker else None


def option(body: bytes, name: str) -> Any:
    """Return an option of an encoded message; None where it has none."""
    if name.encode() not in body:  # nearly always, and a thousand times cheaper than decoding
        return None
    return json.loads(body)["options"].get(name)
