"""What happens to a delivery behind the worker thread, from the end of its run to its acknowledgement.

::

    run ended ──> its end is committed ──> what it owes is published and confirmed ──> acknowledged
                  (journal)                (consumer.settle)                         or rejected

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
from growbin_jobs.engine.delivery.delivery import DeliveringConsumer, Delivery, PendingAck
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.endings import GivenUp, ending
from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, TaskState
from growbin_jobs.engine.delivery.runs import has_ended

logger = logging.getLogger(__name__)

#: Seconds until a pending_ack that failed is tried again: first, and at most.
FIRST_PAUSE, LAST_PAUSE = 0.5, 30.0


class Journal(Protocol):
    """What the settlement needs of :class:`growbin_jobs.engine.journal.journal.Journal`."""

    @property
    def worker(self) -> str:
        """This process's name in rows."""

    def finish(self, record: Finish, then: Callable[[BaseException | None, tuple[OutboxMessage, ...]], None]) -> None:
        """Write an end, and tell once it is committed."""

    def confirmed(self, seqs: Iterable[int]) -> None:
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

    def admit(self, delivery: Delivery) -> bool:
        """Return True if a delivery is to be run now. Otherwise it is settled without: skip it."""
        run = delivery.run
        assert run is not None
        if not run.take():
            delivery.settle_hook = self._settle_with_the_other
            return False
        known = delivery.history
        if known is not None and has_ended(delivery, known):
            delivery.failed = known.state is TaskState.DEAD
            delivery.settle_hook = partial(self._settle_again, known.outbox)
            logger.info(
                "message.history actor=%s id=%s state=%s", delivery.actor_name, delivery.message_id, known.state
            )
            return False
        delivery.settle_hook = self._requeue
        return True

    def finished(self, delivery: Delivery, record: Finish) -> None:
        """Note the end of a run; when Dramatiq acknowledges the delivery it goes its way from here."""
        delivery.record = record
        delivery.settle_hook = self._requeue if delivery.requeued else self._commit

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
                due, pending_ack = self.failed.popleft()
            except IndexError:
                return
            if due <= now:
                pending_ack.delivery.consumer.settle(pending_ack)
            else:
                self.failed.append((due, pending_ack))

    def _commit(self, delivery: Delivery) -> None:
        assert delivery.record is not None
        self._open.add(delivery)
        crashpoint("commit.before")
        self._journal.finish(delivery.record, partial(self._committed, delivery))

    def _committed(self, delivery: Delivery, error: BaseException | None, outbox: tuple[OutboxMessage, ...]) -> None:
        if error is not None:
            logger.error("journal.finish_failed message=%s it will be delivered again", delivery, exc_info=error)
            self._open.discard(delivery)
            if delivery.run is not None:
                delivery.run.end(Disposition.REQUEUE, _settle)  # so that it may run then
            return
        crashpoint("commit.after")
        self._hand_over(delivery, outbox, delivery.disposition)

    def _settle_again(self, outbox: tuple[OutboxMessage, ...], delivery: Delivery) -> None:
        self._open.add(delivery)
        self._hand_over(delivery, outbox, delivery.disposition)

    def _hand_over(self, delivery: Delivery, outbox: tuple[OutboxMessage, ...], disposition: Disposition) -> None:
        delivery.consumer.settle(PendingAck(outbox, delivery, disposition, self._handed_over))

    def _handed_over(self, pending_ack: PendingAck, error: BaseException | None) -> None:
        delivery = pending_ack.delivery
        if error is not None:
            pending_ack.pause = min(max(2 * pending_ack.pause, FIRST_PAUSE), LAST_PAUSE)
            logger.warning(
                "message.unconfirmed message=%s next_try_in=%.1f error=%s", delivery, pending_ack.pause, error
            )
            self.failed.append((time.monotonic() + pending_ack.pause, pending_ack))
            return
        if pending_ack.outbox:
            self._journal.confirmed([each.seq for each in pending_ack.outbox])
        self._open.discard(delivery)
        if delivery.run is not None:
            delivery.run.end(pending_ack.disposition, partial(_settle_copy, delivery.consumer))

    # --- what did not run

    def settle_unrun(self, delivery: Delivery) -> None:
        """Settle what nobody has asked to run: it is stale, or its actor is unknown here."""
        if not delivery.failed or delivery.stale:
            _settle(delivery, delivery.disposition)
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

    def _requeue(self, delivery: Delivery) -> None:
        _settle(delivery, Disposition.REQUEUE)
        if delivery.run is not None:
            delivery.run.end(Disposition.REQUEUE, _settle)


def _settle(delivery: Delivery, disposition: Disposition) -> None:
    delivery.consumer.settle(PendingAck((), delivery, disposition, _nothing))


def _settle_copy(first: DeliveringConsumer, copy: Delivery, disposition: Disposition) -> None:
    # By the consumer of the first, which knows its run: the delivery itself would be part of a cycle.
    # One dead letter is enough, if the first delivery became one. Nobody confirms that: its rejection may have been
    # lost with its connection, and the copy may be here for that very reason.
    rejected = disposition is Disposition.DEAD_LETTER and not first.closed
    _settle(copy, Disposition.ACK if rejected else disposition)


def _nothing(_pending_ack: PendingAck, _error: BaseException | None) -> None:
    return None
