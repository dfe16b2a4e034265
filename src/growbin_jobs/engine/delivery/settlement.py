"""What happens to a delivery behind the worker thread, from the end of its run to its acknowledgement.

::

    run ended ──> its end is committed ──> what it owes is published and confirmed ──> acknowledged
                  (journal)                (consumer.conclude)                         or rejected

Nobody waits: each step calls the next one, on whatever thread it ends. A step that fails is tried again while this
process lives; if it dies, or loses its consumer, the broker delivers the message again, the journal knows that it has
ended, and it goes on behind the commit. So it is lost nowhere and runs twice nowhere on this node. Prefetch bounds how
much is between two steps. ``docs/delivery.md`` draws it.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import DeliveringConsumer, Delivery, PendingAck, Disposition
from growbin_jobs.engine.delivery.endings import GivenUp, ending
from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, TaskState
from growbin_jobs.engine.delivery.runs import has_ended

logger = logging.getLogger(__name__)

#: Seconds until a payment that failed is tried again: first, and at most.
FIRST_PAUSE, LAST_PAUSE = 0.5, 30.0


class Journal(Protocol):
    """What the settlement needs of :class:`growbin_jobs.engine.journal.journal.Journal`."""

    @property
    def worker(self) -> str:
        """This process's name in rows."""

    def finish(self, record: Finish, then: Callable[[BaseException | None, tuple[OutboxMessage, ...]], None]) -> None:
        """Write an end, and tell once it is committed."""

    def paid(self, seqs: Iterable[int]) -> None:
        """Forget what the broker has confirmed."""


class Settlement:
    """Takes deliveries from the moment a worker has them to their acknowledgement; one for each worker process.

    Parameters:
      journal: Where ends are written.

    Attributes:
      failed: Payments that came to nothing, each with the monotonic time of its next try.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: set[Delivery] = set()
        self.failed: deque[tuple[float, PendingAck]] = deque()

    # --- around the run

    def take(self, delivery: Delivery) -> bool:
        """Return True if a delivery is to be run now. Otherwise it is settled without: skip it."""
        run = delivery.run
        assert run is not None
        if not run.take():
            delivery.conclusion = self._settle_with_the_other
            return False
        known = delivery.known
        if known is not None and has_ended(delivery, known):
            delivery.failed = known.state is TaskState.DEAD
            delivery.conclusion = partial(self._settle_again, known.owed)
            logger.info("message.known actor=%s id=%s state=%s", delivery.actor_name, delivery.message_id, known.state)
            return False
        delivery.conclusion = self._give_back
        return True

    def finished(self, delivery: Delivery, record: Finish) -> None:
        """Note the end of a run; when Dramatiq acknowledges the delivery it goes its way from here."""
        delivery.record = record
        delivery.conclusion = self._give_back if delivery.returned else self._commit

    # --- after it

    def drain(self, timeout: float) -> bool:
        """Wait until everything that has ended is settled.

        Parameters:
          timeout: Seconds.

        Returns:
          False if something is left; the broker will deliver it again.
        """
        end = time.monotonic() + timeout
        while self._open:
            self.try_again()
            if time.monotonic() >= end:
                logger.warning("worker.unsettled messages=%d they will be delivered again", len(self._open))
                return False
            time.sleep(0.01)
        return True

    def try_again(self) -> None:
        """Pay what failed before and is due by now."""
        now = time.monotonic()
        for _ in range(len(self.failed)):
            try:
                due, payment = self.failed.popleft()
            except IndexError:
                return
            if due <= now:
                payment.delivery.consumer.conclude(payment)
            else:
                self.failed.append((due, payment))

    def _commit(self, delivery: Delivery) -> None:
        assert delivery.record is not None
        self._open.add(delivery)
        crashpoint("commit.before")
        self._journal.finish(delivery.record, partial(self._committed, delivery))

    def _committed(self, delivery: Delivery, error: BaseException | None, owed: tuple[OutboxMessage, ...]) -> None:
        if error is not None:
            logger.error("journal.finish_failed message=%s it will be delivered again", delivery, exc_info=error)
            self._open.discard(delivery)
            if delivery.run is not None:
                delivery.run.end(Disposition.REQUEUE, _settle)  # so that it may run then
            return
        crashpoint("commit.after")
        self._conclude(delivery, owed, delivery.verdict)

    def _settle_again(self, owed: tuple[OutboxMessage, ...], delivery: Delivery) -> None:
        self._open.add(delivery)
        self._conclude(delivery, owed, delivery.verdict)

    def _conclude(self, delivery: Delivery, owed: tuple[OutboxMessage, ...], verdict: Disposition) -> None:
        delivery.consumer.conclude(PendingAck(owed, delivery, verdict, self._concluded))

    def _concluded(self, payment: PendingAck, error: BaseException | None) -> None:
        delivery = payment.delivery
        if error is not None:
            payment.pause = min(max(2 * payment.pause, FIRST_PAUSE), LAST_PAUSE)
            logger.warning("message.unpaid message=%s next_try_in=%.1f error=%s", delivery, payment.pause, error)
            self.failed.append((time.monotonic() + payment.pause, payment))
            return
        if payment.owed:
            self._journal.paid([each.seq for each in payment.owed])
        self._open.discard(delivery)
        if delivery.run is not None:
            delivery.run.end(payment.verdict, partial(_settle_copy, delivery.consumer))

    # --- what did not run

    def settle_unrun(self, delivery: Delivery) -> None:
        """Settle what nobody has asked to run: it is stale, or its actor is unknown here."""
        if not delivery.failed or delivery.stale:
            _settle(delivery, delivery.verdict)
            return
        # Dramatiq rejects what is for an actor that this process does not know.
        given_up = GivenUp("actor_unknown", {"actor": delivery.actor_name}, "no such actor", delivery._exception)
        delivery.record = ending(
            delivery, TaskState.DEAD, worker=self._journal.worker, started_at=time.time(), error=given_up.error,
            given_up=given_up,
        )  # fmt: skip
        self._commit(delivery)

    def _settle_with_the_other(self, delivery: Delivery) -> None:
        assert delivery.run is not None
        delivery.run.wait(delivery)

    def _give_back(self, delivery: Delivery) -> None:
        _settle(delivery, Disposition.REQUEUE)
        if delivery.run is not None:
            delivery.run.end(Disposition.REQUEUE, _settle)


def _settle(delivery: Delivery, verdict: Disposition) -> None:
    delivery.consumer.conclude(PendingAck((), delivery, verdict, _nothing))


def _settle_copy(first: DeliveringConsumer, copy: Delivery, verdict: Disposition) -> None:
    # By the consumer of the first, which knows its run: the delivery itself would be part of a cycle.
    # One dead letter is enough, if the first delivery became one. Nobody confirms that: its rejection may have been
    # lost with its connection, and the copy may be here for that very reason.
    rejected = verdict is Disposition.DEAD_LETTER and not first.closed
    _settle(copy, Disposition.ACK if rejected else verdict)


def _nothing(_payment: PendingAck, _error: BaseException | None) -> None:
    return None
