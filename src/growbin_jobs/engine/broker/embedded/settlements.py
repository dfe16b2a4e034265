"""What finished messages owe goes into its queues in the transaction that settles them; many share one."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dramatiq.common import current_millis

from growbin_jobs.engine.broker.embedded.queue import EmbeddedQueue
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import PendingAck
from growbin_jobs.engine.delivery.records import OutboxMessage

if TYPE_CHECKING:
    from growbin_jobs.engine.broker.embedded.session import EmbeddedSession


class Settles(Protocol):
    """The consumer of a delivery."""

    def settle_in(self, queue: EmbeddedQueue, payment: PendingAck) -> None:
        """Settle it inside a transaction."""

    def settled(self, payment: PendingAck) -> None:
        """Be told, in any thread, that the transaction is committed."""


class Entry(NamedTuple):
    """A payment, what the priorities of its messages are, and whose delivery it is for."""

    payment: PendingAck
    priorities: list[int]
    consumer: Settles


def put(queue: EmbeddedQueue, owed: OutboxMessage, priority: int, *, now: int) -> None:
    """Put a message that is owed into its queue; ``now`` in milliseconds."""
    due = now if owed.due_at is None else max(now, int(owed.due_at * 1000))
    queue.put(owed.queue_name, owed.message_id, owed.body, priority=priority, due=due, now=now)


class SettlementBatcher:
    """The payments of one process.

    Parameters:
      session: Where they are written.
    """

    def __init__(self, session: EmbeddedSession) -> None:
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
        for payment, priorities, consumer in batch:
            for owed, priority in zip(payment.owed, priorities, strict=True):
                crashpoint("publish.before")
                put(queue, owed, priority, now=now)
            crashpoint("ack.before")
            consumer.settle_in(queue, payment)

    def _told(self, batch: list[Entry], error: BaseException | None, _: None) -> None:
        if error is not None and not batch:  # the call was refused: it never ran
            self._called = False
            batch.extend(self._take_all())
        for payment, _priorities, consumer in batch:
            if error is None:
                for _owed in payment.owed:
                    crashpoint("publish.after")
                crashpoint("ack.after")
                consumer.settled(payment)
            payment.then(payment, error)

    def _take_all(self) -> list[Entry]:
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken
