"""A consumer of one queue of the embedded broker."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from dramatiq.broker import Consumer, MessageProxy
from dramatiq.common import current_millis
from dramatiq.errors import BrokerConnectionError, ConnectionClosed

from growbin_jobs.engine.broker.embedded.claims import (
    Claims,
    EmbeddedDelivery,
    as_embedded,
    dead_letter,
    requeue_claimed,
)
from growbin_jobs.engine.broker.embedded.queue import EmbeddedQueue, QueueUnavailable
from growbin_jobs.engine.broker.embedded.session import REAP_INTERVAL, EmbeddedSession
from growbin_jobs.engine.delivery.codec import Undecodable, decode
from growbin_jobs.engine.delivery.delivery import Intake
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.foreign_errors import name
from growbin_jobs.engine.pauses import Pauses

logger = logging.getLogger(__name__)

#: Messages claimed in one transaction at most.
CLAIM_BATCH = 256

#: Seconds until an empty queue is looked at again where nobody wakes its consumer; the session wakes it before, where
#: there is something (:meth:`EmbeddedSession._look`).
LOOK_AGAIN = 60.0

#: Seconds that an idle consumer sleeps where nothing but a message may interest it.
PATIENCE = 60.0

#: Characters of a dead letter's reason.
REASON_LENGTH = 500


class EmbeddedConsumer(Claims, Consumer):
    """Claims messages of one queue and hands them out. Settling is safe from any thread; iterating is for one.

    Parameters:
      session: This process's hold on the file.
      queue_name: The queue.
      prefetch: Messages that it has at most, handed out and not settled.
      timeout: Milliseconds that ``next()`` waits before it returns None.
      intake: Is asked before messages are handed out, and shown them; None: hand out everything.
      priority_of: Of a message in a delivery's outbox.
      pauses: While the queue is paused there, nothing is claimed nor handed out.
      patient: Returns whether ``next()`` may wait for longer than its timeout (:data:`PATIENCE`).

    Raises:
      BrokerConnectionError: If the file cannot be used.
    """

    def __init__(
        self,
        session: EmbeddedSession,
        queue_name: str,
        *,
        prefetch: int,
        timeout: int,
        intake: Intake | None = None,
        priority_of: Callable[[OutboxMessage], int] = lambda _: 0,
        pauses: Pauses | None = None,
        patient: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(session, queue_name, prefetch=prefetch, priority_of=priority_of)
        self.intake = intake
        self._timeout = timeout / 1000
        self._patient = patient
        self._arrived: list[EmbeddedDelivery] = []  # and not looked up yet
        self._fetched: deque[EmbeddedDelivery] = deque()
        self._undecodable: list[tuple[int, str]] = []
        self._ailing = False
        self._looked = False  # and found nothing, and nothing has happened since
        self._look_at = 0.0
        self._claim_at = 0.0
        self._pauses = Pauses() if pauses is None else pauses
        self._unwatch = self._pauses.watch(self._wakeup.wake)

    def __next__(self) -> EmbeddedDelivery | None:
        """Return the next message, or None where there is none after the last look within the time that it may wait.

        Raises:
          ConnectionClosed: If it is closed, or the file is gone.
        """
        began = time.monotonic()
        while True:
            if self.closed:
                raise ConnectionClosed(f"The consumer of {self._queue_name} is closed.")  # type: ignore[no-untyped-call]
            if not self._looked:
                self._look_at = self._fetch() + time.monotonic()
            if self._fetched:
                return self._fetched.popleft()
            self._looked = True
            now, end = time.monotonic(), began + (PATIENCE if self._patient() else self._timeout)
            if now >= end:
                return None
            if self._wakeup.wait(min(end, self._look_at) - now):
                self._claim_at = 0.0
            self._looked = False

    def _fetch(self) -> float:
        """Claim what there is room for; return the seconds after which to look again unless the wakeup rings."""
        if self._fetched:
            return 0
        try:
            pause = LOOK_AGAIN
            self._dead_letter_undecodable()
            if self.intake and not self.intake.ready():
                return REAP_INTERVAL
            if self._pauses.any and (paused := self._pauses.left(self._queue_name)):
                return min(pause, paused)
            room = self._prefetch - len(self._unsettled)
            if room > 0 and not self._arrived:
                left = self._claim_at - time.monotonic()
                pause = min(pause, left if left > 0 else self._claim(min(room, CLAIM_BATCH)))
            if self._arrived and not self._hand_out():
                pause = REAP_INTERVAL
        except QueueUnavailable as error:
            # Not raised: Dramatiq would close this consumer and so run twice whatever is being worked on.
            if not self._ailing:
                logger.critical("embedded.fetch_failed queue=%s retries=yes error=%s", self._queue_name, error)
            self._ailing, self._claim_at = True, 0.0
            return REAP_INTERVAL
        if self._ailing:
            logger.warning("embedded.fetch_recovered queue=%s", self._queue_name)
        self._ailing = False
        return pause

    def _claim(self, limit: int) -> float:
        now = current_millis()
        due = self._session.read(lambda queue: queue.next_due(self._queue_name))
        if due is None or due > now:
            left = LOOK_AGAIN if due is None else min((due - now) / 1000, LOOK_AGAIN)
            self._claim_at = time.monotonic() + left
            return left
        for claimed in self._session.write(partial(self._claim_in, limit=limit, now=now)):
            self._unsettled.add(claimed.seq)
            try:
                self._arrived.append(EmbeddedDelivery(decode(claimed.body, self._queue_name), self, claimed))
            except Undecodable as error:
                self._undecodable.append((claimed.seq, f"not a message: {error}"))
        self._dead_letter_undecodable()
        return 0

    def _hand_out(self) -> bool:
        if self.intake and not self.intake.receive(self._arrived):
            return False
        self._fetched.extend(each for each in self._arrived if each.returned is None)
        self._arrived.clear()
        return True

    def _dead_letter_undecodable(self) -> None:
        while self._undecodable:
            seq, reason = self._undecodable[-1]
            self._settle(seq, dead_letter(reason))
            self._undecodable.pop()
            logger.error("embedded.dead_lettered queue=%s seq=%d reason=%s", self._queue_name, seq, reason)

    def ack(self, message: MessageProxy) -> None:
        """Delete a message that is done, or return it to its queue if it was given back.

        One whose life has begun (:attr:`Delivery.life`) goes its own way from here, and nothing waits.

        Raises:
          BrokerConnectionError: If the file cannot be used; try again.
        """
        delivery = as_embedded(message)
        if not _released(delivery):
            delivery.consumer._settle(delivery.seq, requeue_claimed if delivery.requeued else EmbeddedQueue.ack)

    def nack(self, message: MessageProxy) -> None:
        """Move a message to the dead letters, or return it to its queue if it was given back; otherwise as :meth:`ack`.

        Raises:
          BrokerConnectionError: If the file cannot be used; try again.
        """
        delivery = as_embedded(message)
        error = delivery._exception
        if error is not None:
            delivery.reason = name(error)
        if not _released(delivery):
            delivery.consumer._settle(
                delivery.seq, requeue_claimed if delivery.requeued else dead_letter(delivery.reason)
            )

    def close(self) -> None:
        """Return everything that was not settled. May be called again."""
        if not self._closed:
            with suppress(BrokerConnectionError):  # then release() does it, and counts them as delivered
                self.requeue([*self._fetched, *self._arrived])
            self._unwatch()
            self._release()


def _released(delivery: EmbeddedDelivery) -> bool:
    """Give a delivery to who has begun its life; returns False if nobody has."""
    intake = delivery.consumer.intake
    if delivery.life is None or intake is None:
        return False
    intake.release(delivery)
    return True
