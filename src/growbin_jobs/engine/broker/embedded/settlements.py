"""What finished messages owe goes into its queues in the transaction that settles them; many share one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from dramatiq.common import current_millis

from growbin_jobs.engine.broker.embedded.queue import EmbeddedQueue
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import PendingAck
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.sqlite.calls import Then


class Submits(Protocol):
    """The session in whose transactions all of it is written."""

    def submit(self, call: Callable[[EmbeddedQueue], None], then: Then[None], *, durable: bool = False) -> None:
        """Run a call in a transaction and tell once that is committed; nobody waits."""


class Settles(Protocol):
    """The consumer of a delivery."""

    def settle_in(self, queue: EmbeddedQueue, pending_ack: PendingAck) -> None:
        """Settle it inside a transaction."""

    def settled(self, pending_ack: PendingAck) -> None:
        """Be told, in any thread, that the transaction is committed."""


class Entry(NamedTuple):
    """A pending_ack, what the priorities of its messages are, and whose delivery it is for."""

    pending_ack: PendingAck
    priorities: list[int]
    consumer: Settles


def put(queue: EmbeddedQueue, message: OutboxMessage, priority: int, *, now: int) -> None:
    """Put a message that is message into its queue; ``now`` in milliseconds."""
    due = now if message.due_at is None else max(now, int(message.due_at * 1000))
    queue.put(message.queue_name, message.message_id, message.body, priority=priority, due=due, now=now)


class SettlementBatcher:
    """The batcher of one process.

    Parameters:
      session: Where they are written.
    """

    def __init__(self, session: Submits) -> None:
        self._session = session
        self._waiting: deque[Entry] = deque()
        self._called = False

    def add(self, entry: Entry) -> None:
        """Pay, settle and tell, all later and in another thread."""
        self._waiting.append(entry)
        if not self._called:
            self._called = True
            batch: list[Entry] = []
            # On the disk before the journal forgets them: after a power cut the broker must not know less than it.
            self._session.submit(partial(self._pay, batch), partial(self._told, batch), durable=True)

    # --- in the session's thread

    def _pay(self, batch: list[Entry], queue: EmbeddedQueue) -> None:
        self._called = False  # before the first popleft: whoever adds one from now on calls us again
        for _ in range(len(self._waiting)):
            batch.append(self._waiting.popleft())
        now = current_millis()
        for pending_ack, priorities, consumer in batch:
            for message, priority in zip(pending_ack.outbox, priorities, strict=True):
                crashpoint("publish.before")
                put(queue, message, priority, now=now)
            crashpoint("ack.before")
            consumer.settle_in(queue, pending_ack)

    def _told(self, batch: list[Entry], error: BaseException | None, _: None) -> None:
        if error is not None and not batch:  # the call was refused: it never ran
            self._called = False
            batch.extend(self._take_all())
        for pending_ack, _priorities, consumer in batch:
            if error is None:
                for _message in pending_ack.outbox:
                    crashpoint("publish.after")
                crashpoint("ack.after")
                consumer.settled(pending_ack)
            pending_ack.then(pending_ack, error)

    def _take_all(self) -> list[Entry]:
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken
