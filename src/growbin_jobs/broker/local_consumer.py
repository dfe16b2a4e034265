"""A consumer of one queue of the embedded broker."""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from dramatiq import Message
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.common import current_millis
from dramatiq.errors import BrokerConnectionError, ConnectionClosed

from growbin_jobs.broker.codec import Undecodable, decode
from growbin_jobs.broker.delivery import Delivery, Intake, Payment, Verdict
from growbin_jobs.broker.local_payments import Entry
from growbin_jobs.broker.local_queue import Claimed, LocalQueue
from growbin_jobs.broker.local_session import REAP_INTERVAL, LocalSession
from growbin_jobs.broker.local_store import QueueUnavailable
from growbin_jobs.journal.records import Owed

logger = logging.getLogger(__name__)

#: Messages claimed in one transaction at most.
CLAIM_BATCH = 256

#: Milliseconds until a message that was given back is delivered again.
GIVE_BACK_DELAY = 1000

#: Characters of a dead letter's reason.
REASON_LENGTH = 500

_numbers = itertools.count(1)


class LocalDelivery(Delivery):
    """A message as the embedded broker delivered it.

    Attributes:
      seq: Names the row.
      deliveries: How often it was handed out, this time included. It counts what a crashed process had fetched but not
        begun, so it is a hint that a message kills its workers, not a proof.
    """

    consumer: LocalConsumer

    def __init__(self, message: Message[Any], consumer: LocalConsumer, claimed: Claimed) -> None:
        # A due time that some other broker put there is over: Dramatiq would wait for it once more, in memory.
        message.options.pop("eta", None)
        super().__init__(message, consumer, claimed.body)
        self.seq = claimed.seq
        self.reason = "rejected"
        self.deliveries = claimed.deliveries

    @property
    def redelivered(self) -> bool:
        """True when it was handed out before."""
        return self.deliveries > 1


class LocalConsumer(Consumer):
    """Claims messages of one queue and hands them out. Settling is safe from any thread; iterating is for one.

    Parameters:
      session: This process's hold on the file.
      queue_name: The queue.
      prefetch: Messages that it has at most, handed out and not settled.
      timeout: Milliseconds that ``next()`` waits before it returns None.

      intake: Is asked before messages are handed out, and shown them; None: hand out everything.
      priority_of: Of a message that a delivery owes.

    Raises:
      BrokerConnectionError: If the file cannot be used.
    """

    def __init__(
        self,
        session: LocalSession,
        queue_name: str,
        *,
        prefetch: int,
        timeout: int,
        intake: Intake | None = None,
        priority_of: Callable[[Owed], int] = lambda _: 0,
    ) -> None:
        self._intake = intake
        self._priority_of = priority_of
        self._arrived: list[LocalDelivery] = []  # and not looked up yet
        self._session = session
        self._owner = session.owner()
        self._name = f"{self._owner}/{next(_numbers)}"
        self._queue_name = queue_name
        self._prefetch = prefetch
        self._timeout = timeout / 1000
        self._fetched: deque[LocalDelivery] = deque()
        self._rubbish: list[tuple[int, str]] = []
        self._unsettled: set[int] = set()
        self._ailing = False
        self._closed = False
        self._bell = session.hang_bell(queue_name)  # before the first look, so that nothing can come in between

    @property
    def closed(self) -> bool:
        """True once everything that was not settled is the broker's again."""
        return self._closed or self._session.closed

    def __next__(self) -> LocalDelivery | None:
        """Return the next message, or None after the timeout.

        Raises:
          ConnectionClosed: If it is closed, or the file is gone.
        """
        end = time.monotonic() + self._timeout
        while True:
            if self.closed:
                raise ConnectionClosed(f"The consumer of {self._queue_name} is closed.")  # type: ignore[no-untyped-call]
            pause = self._fetch()
            if self._fetched:
                return self._fetched.popleft()
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._bell.wait(min(left, pause))

    def _fetch(self) -> float:
        """Claim what there is room for; return the seconds after which to look again unless the bell rings."""
        if self._fetched:
            return 0
        try:
            pause = self._session.reap()
            self._bury_rubbish()
            if self._intake and not self._intake.ready():
                return pause
            room = self._prefetch - len(self._unsettled)
            if room > 0 and not self._arrived:
                pause = min(pause, self._claim(min(room, CLAIM_BATCH)))
            if self._arrived and not self._hand_out():
                pause = REAP_INTERVAL
        except QueueUnavailable as error:
            # Not raised: Dramatiq would close this consumer and so run twice whatever is being worked on.
            if not self._ailing:
                logger.critical("Cannot fetch from %s; trying again until it works. %s", self._queue_name, error)
            self._ailing = True
            return REAP_INTERVAL
        if self._ailing:
            logger.warning("Fetching from %s works again.", self._queue_name)
        self._ailing = False
        return pause

    def _claim(self, limit: int) -> float:
        now = current_millis()
        due = self._session.read(lambda queue: queue.next_due(self._queue_name))
        if due is None:
            return REAP_INTERVAL
        if due > now:
            return (due - now) / 1000
        for claimed in self._session.write(partial(self._claim_in, limit=limit, now=now)):
            self._unsettled.add(claimed.seq)
            try:
                self._arrived.append(LocalDelivery(decode(claimed.body, self._queue_name), self, claimed))
            except Undecodable as error:
                self._rubbish.append((claimed.seq, f"not a message: {error}"))
        self._bury_rubbish()
        return 0

    def _hand_out(self) -> bool:
        if self._intake and not self._intake.receive(self._arrived):
            return False
        self._fetched.extend(self._arrived)
        self._arrived.clear()
        return True

    def _claim_in(self, queue: LocalQueue, *, limit: int, now: int) -> list[Claimed]:
        # Looked at once more, in the thread that also runs the release: what came after that nobody would release.
        if self.closed:
            return []
        return queue.claim(self._queue_name, owner=self._owner, consumer=self._name, limit=limit, now=now)

    def _bury_rubbish(self) -> None:
        while self._rubbish:
            seq, reason = self._rubbish[-1]
            self._settle(seq, _bury(reason))
            self._rubbish.pop()
            logger.error("Message %d of %s is in the dead letters: %s", seq, self._queue_name, reason)

    def ack(self, message: MessageProxy) -> None:
        """Delete a message that is done, or return it to its queue if it was given back.

        Whoever has something to do before that, does it now (:attr:`Delivery.conclusion`), and nothing here waits.

        Raises:
          BrokerConnectionError: If the file cannot be used; try again.
        """
        delivery = _delivered(message)
        if delivery.conclusion is not None:
            delivery.conclusion(delivery)
        else:
            delivery.consumer._settle(delivery.seq, _give_back if delivery.returned else LocalQueue.ack)

    def nack(self, message: MessageProxy) -> None:
        """Move a message to the dead letters, or return it to its queue if it was given back; otherwise as :meth:`ack`.

        Raises:
          BrokerConnectionError: If the file cannot be used; try again.
        """
        delivery = _delivered(message)
        error = delivery._exception
        if error is not None:
            delivery.reason = f"{type(error).__name__}: {error}"[:REASON_LENGTH]
        if delivery.conclusion is not None:
            delivery.conclusion(delivery)
        else:
            delivery.consumer._settle(delivery.seq, _give_back if delivery.returned else _bury(delivery.reason))

    def conclude(self, payment: Payment) -> None:
        """Put what a delivery owes into its queues and settle it, in one transaction. Returns at once."""
        self._session.payments.add(Entry(payment, [self._priority_of(owed) for owed in payment.owed], self))

    def settle_in(self, queue: LocalQueue, payment: Payment) -> None:
        """Settle a delivery inside a transaction."""
        delivery = _delivered(payment.delivery)
        if self.closed:
            return
        match payment.verdict:
            case Verdict.ACKNOWLEDGE:
                queue.ack(delivery.seq, self._name)
            case Verdict.REJECT:
                _bury(delivery.reason)(queue, delivery.seq, self._name)
            case Verdict.GIVE_BACK:
                _give_back(queue, delivery.seq, self._name)

    def settled(self, payment: Payment) -> None:
        """Be told, in any thread, that a delivery is settled."""
        self._forget(_delivered(payment.delivery).seq)

    def _settle(self, seq: int, settle: Callable[[LocalQueue, int, str], bool]) -> None:
        if self.closed:
            logger.debug("Message %d is the broker's again; it will come once more.", seq)
            return
        if not self._session.write(lambda queue: settle(queue, seq, self._name)):
            logger.warning("Message %d was no longer claimed when it was settled.", seq)
        self._forget(seq)

    def _forget(self, seq: int) -> None:
        was_full = len(self._unsettled) >= self._prefetch
        self._unsettled.discard(seq)
        if was_full:
            self._bell.ring()

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Return messages that nobody began to their old places, at once.

        Raises:
          BrokerConnectionError: If the file cannot be used; they come back when this process ends.
        """
        unstarted = [delivery for delivery in map(_delivered, messages) if not delivery.stale]
        if not unstarted:
            return
        self._session.write(lambda queue: [queue.return_unstarted(each.seq, each.consumer._name) for each in unstarted])
        for each in unstarted:
            each.consumer._unsettled.discard(each.seq)

    def close(self) -> None:
        """Return everything that was not settled. May be called again."""
        if not self._closed:
            with suppress(BrokerConnectionError):  # then release() does it, and counts them as delivered
                self.requeue([*self._fetched, *self._arrived])
            self._closed = True
            self._session.take_down(self._bell)
            self._session.release(self._name)


def _delivered(message: MessageProxy) -> LocalDelivery:
    if not isinstance(message, LocalDelivery):
        raise TypeError(f"{message!r} was not delivered by the embedded broker")
    return message


def _give_back(queue: LocalQueue, seq: int, consumer: str) -> bool:
    return queue.give_back(seq, consumer, due=current_millis() + GIVE_BACK_DELAY)


def _bury(reason: str) -> Callable[[LocalQueue, int, str], bool]:
    return lambda queue, seq, consumer: queue.bury(seq, consumer, reason=reason, now=current_millis())
