"""Claims messages of one queue of the embedded broker for a consumer, and settles them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from dramatiq import Message
from dramatiq.broker import MessageProxy
from dramatiq.common import current_millis

from growbin_jobs.engine.broker.embedded.queue import Claimed, EmbeddedQueue
from growbin_jobs.engine.broker.embedded.session import EmbeddedSession, Entry
from growbin_jobs.engine.delivery.delivery import DeliveringConsumer, Delivery, Intake, PendingAck
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.due_time import forget_what_is_due
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.text import well_formed


class ClaimingConsumer(DeliveringConsumer, Protocol):
    """The consumer that claimed a message, and alone settles it."""

    intake: Intake | None
    _name: str
    _unsettled: set[int]

    def _settle(self, seq: int, settle: Callable[[EmbeddedQueue, int, str], bool]) -> None: ...


class EmbeddedDelivery(Delivery):
    """A message as the embedded broker delivered it.

    Attributes:
      seq: Names the row.
      deliveries: How often it was handed out, this time included. It counts what a crashed process had fetched but not
        begun, so it is a hint that a message kills its workers, not a proof.
    """

    consumer: ClaimingConsumer

    def __init__(self, message: Message[Any], consumer: ClaimingConsumer, claimed: Claimed) -> None:
        if "eta" in message.options:
            forget_what_is_due(message.options)
        super().__init__(message, consumer, claimed.body)
        self.seq = claimed.seq
        self.reason = "rejected"
        self.deliveries = claimed.deliveries

    @property
    def redelivered(self) -> bool:
        """True when it was handed out before."""
        return self.deliveries > 1


def as_embedded(message: MessageProxy) -> EmbeddedDelivery:
    """Return a delivery that the embedded broker made.

    Raises:
      TypeError: Some other broker made it.
    """
    if not isinstance(message, EmbeddedDelivery):
        raise TypeError(f"{message!r} was not delivered by the embedded broker")
    return message


logger = logging.getLogger(__name__)

#: Milliseconds until a message that was given back is delivered again.
REQUEUE_DELAY = 1000

_numbers = itertools.count(1)


class Claims:
    """Claims messages of one queue under a name of its own, and settles them. Settling is safe from any thread.

    The consumer derives from it and does not hold it: every message asks for ``closed`` and is settled here.

    Parameters:
      session: This process's hold on the file.
      queue_name: The queue.
      prefetch: Claims that may be unsettled at a time; the wakeup rings when there is room again.
      priority_of: Of a message in a delivery's outbox.

    Raises:
      BrokerConnectionError: If the file cannot be used.
    """

    def __init__(
        self, session: EmbeddedSession, queue_name: str, *, prefetch: int, priority_of: Callable[[OutboxMessage], int]
    ) -> None:
        self._session = session
        self._owner = session.owner()
        self._name = f"{self._owner}/{next(_numbers)}"
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._priority_of = priority_of
        self._unsettled: set[int] = set()
        self._closed = False
        self._wakeup = session.open_wakeup(queue_name)  # before the first look, so that nothing can come in between

    @property
    def closed(self) -> bool:
        """True once everything that was not settled is the broker's again."""
        return self._closed or self._session.closed

    def _claim_in(self, queue: EmbeddedQueue, *, limit: int, now: int) -> list[Claimed]:
        # Looked at once more, in the thread that also runs the release: what came after that nobody would release.
        if self.closed:
            return []
        return queue.claim(self._queue_name, owner=self._owner, consumer=self._name, limit=limit, now=now)

    def settle(self, pending_ack: PendingAck) -> None:
        """Put the outbox of a delivery into its queues and settle it, in one transaction. Returns at once."""
        self._session.settlements.add(
            Entry(pending_ack, [self._priority_of(message) for message in pending_ack.outbox], self)
        )

    def settle_in(self, queue: EmbeddedQueue, pending_ack: PendingAck) -> None:
        """Settle a delivery inside a transaction."""
        delivery = as_embedded(pending_ack.delivery)
        if self.closed:
            return
        match pending_ack.disposition:
            case Disposition.ACK:
                queue.ack(delivery.seq, self._name)
            case Disposition.DEAD_LETTER:
                dead_letter(delivery.reason)(queue, delivery.seq, self._name)
            case Disposition.REQUEUE:
                requeue_claimed(queue, delivery.seq, self._name)

    def settled(self, pending_ack: PendingAck) -> None:
        """Be told, in any thread, that a delivery is settled."""
        self._forget(as_embedded(pending_ack.delivery).seq)

    def _settle(self, seq: int, settle: Callable[[EmbeddedQueue, int, str], bool]) -> None:
        if self.closed:
            logger.debug("embedded.settled_after_close seq=%d", seq)
            return
        if not self._session.write(lambda queue: settle(queue, seq, self._name)):
            logger.warning("embedded.claim_lost seq=%d", seq)
        self._forget(seq)

    def _forget(self, seq: int) -> None:
        was_full = len(self._unsettled) >= self._prefetch
        self._unsettled.discard(seq)
        if was_full:
            self._wakeup.wake()

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Return messages that nobody began to their old places, at once.

        Raises:
          BrokerConnectionError: If the file cannot be used; they come back when this process ends.
        """
        unstarted = [delivery for delivery in map(as_embedded, messages) if not delivery.stale]
        if not unstarted:
            return
        self._session.write(lambda queue: [queue.return_unstarted(each.seq, each.consumer._name) for each in unstarted])
        for each in unstarted:
            each.consumer._unsettled.discard(each.seq)

    def _release(self) -> None:
        """Let the broker have back whatever is not settled, and claim nothing any more."""
        self._closed = True
        self._session.close_wakeup(self._wakeup)
        self._session.release(self._name)


def requeue_claimed(queue: EmbeddedQueue, seq: int, consumer: str) -> bool:
    """Let a claimed message wait again, for a moment; False if it is not claimed any more."""
    now = current_millis()
    return queue.requeue(seq, consumer, due=now + REQUEUE_DELAY, now=now)


def dead_letter(reason: str) -> Callable[[EmbeddedQueue, int, str], bool]:
    """Return what moves a claimed message to the dead letters; it returns False if it is not claimed any more."""
    words = well_formed(reason)
    return lambda queue, seq, consumer: queue.dead_letter(seq, consumer, reason=words, now=current_millis())
