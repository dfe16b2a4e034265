"""Station 4: what happens to a delivery behind the worker thread, from the end of its run to its acknowledgement.

::

    run ended ──> its end is committed ──> its outbox is published and confirmed ──> acknowledged
                  (journal)                (consumer.settle)                         or rejected

Nobody waits: each step calls the next one, on whatever thread it ends. A step that fails is tried again while this
process lives; if it dies, or loses its consumer, the broker delivers the message again, the journal knows that it has
ended, and it goes on behind the commit. So it is lost nowhere and runs twice nowhere on this node. Prefetch bounds how
much is between two steps. ``docs/delivery.md`` draws it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Protocol

from growbin_jobs.engine import events
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.decide import Decisions
from growbin_jobs.engine.delivery.delivery import DeliveringConsumer, Delivery, PendingAck
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.lifecycle import COMMITTED, DECIDED, RELEASE, SETTLED, Life, State, Step, advance
from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, TaskHistory, TaskState
from growbin_jobs.engine.delivery.returning import MOST_RETURNS, returned_too_often, way_back
from growbin_jobs.engine.foreign_errors import describe

#: Seconds until a publication that failed is tried again: first, and at most.
FIRST_PAUSE, LAST_PAUSE = 0.5, 30.0

#: Of a delivery that has failed, and of one that has not.
_DISPOSITION = {True: Disposition.DEAD_LETTER, False: Disposition.ACK}


class Journal(Protocol):
    """What the settlement needs of :class:`growbin_jobs.engine.journal.journal.Journal`."""

    def finish(self, record: Finish, then: Callable[[BaseException | None, tuple[OutboxMessage, ...]], None]) -> None:
        """Write an end, and tell once it is committed."""

    def confirmed(self, seqs: Iterable[int]) -> None:
        """Forget what the broker has confirmed."""


class Settlement:
    """Takes deliveries from the moment Dramatiq is done with them to their acknowledgement; one for each process.

    Parameters:
      journal: Where ends are written.
      decisions: Makes the records of those that have none by then.
      closed: The error by which the journal says that it was closed.

    Attributes:
      isolate: Takes over a suspect, until :meth:`ended_elsewhere` or :meth:`not_run`. Returns at once.
      failed: What could not be published, each with the monotonic time of its next try.
    """

    def __init__(self, journal: Journal, decisions: Decisions, closed: type[BaseException]) -> None:
        self._journal = journal
        self._decisions = decisions
        self._closed = closed
        self._open: set[Delivery] = set()
        self.isolate: Callable[[Delivery], None] = self.not_run
        self.failed: deque[tuple[float, PendingAck]] = deque()

    # --- Dramatiq is done with it

    def release(self, delivery: Delivery) -> None:
        """Take over a delivery, whatever its state."""
        life = delivery.life
        assert life is not None
        if life.outbox is not None and life.outbox.inherited:
            if life.state is not State.LEFT:
                advance(delivery, Step.LEAVE)
            return
        if life.state is not DECIDED:  # nearly always it is
            self._end_undecided(delivery, life)
        state = life.state
        if not advance(delivery, RELEASE):
            return
        if state is DECIDED:
            self._commit(delivery)
        elif state is State.DUPLICATE:
            life.run.wait(delivery)
        elif state is State.SUSPECT:
            self.isolate(delivery)
        elif state is State.KNOWN:
            assert life.history is not None
            delivery.failed = life.history.state is TaskState.DEAD
            self._publish(delivery, life.history.outbox, _DISPOSITION[delivery.failed])
        elif state is State.RETURNING:
            self._publish(delivery, *way_back(delivery))
        elif state is State.RECEIVED:
            self._publish(delivery, (), Disposition.ACK)
        else:  # the broker has it back
            self._open.discard(delivery)
            if life.took:
                life.run.end(Disposition.REQUEUE, self._share_with)

    def _end_undecided(self, delivery: Delivery, life: Life) -> None:
        """Decide about what no hook has decided about."""
        if life.state is State.RUNNING:
            self._decisions.abandon(delivery)  # no hook has told its end
        elif life.state is State.RECEIVED and delivery.failed and not delivery.stale:
            self._decisions.refuse(delivery)
        elif life.state in (State.RECEIVED, State.RETURNING) and delivery.stale:
            advance(delivery, Step.LEAVE)
        if life.state is State.RETURNING and returned_too_often(delivery):
            assert delivery.returned is not None
            self._decisions.give_up(delivery, f"It went back {MOST_RETURNS} times: {delivery.returned.reason}.")

    # --- suspects, which run in another process of this node

    def ended_elsewhere(self, delivery: Delivery, known: TaskHistory) -> None:
        """Settle a suspect whose run has ended: its record is in the journal."""
        assert delivery.life is not None
        delivery.life.history = known
        if advance(delivery, Step.KNOWN):
            self.release(delivery)

    def not_run(self, delivery: Delivery, *, counted: bool = False) -> None:
        """Give a suspect back to the broker: it did not come to an end.

        Parameters:
          counted: Its end could not be decided. Else this worker stops.
        """
        delivery.requeue("undecided" if counted else "worker_stops", counted=counted)
        if advance(delivery, Step.RETURN):
            self.release(delivery)

    # --- commit

    def _commit(self, delivery: Delivery) -> None:
        life = delivery.life
        assert life is not None
        assert life.record is not None
        self._open.add(delivery)
        crashpoint("commit.before")
        self._journal.finish(life.record, partial(self._committed, delivery))

    def _committed(self, delivery: Delivery, error: BaseException | None, outbox: tuple[OutboxMessage, ...]) -> None:
        if error is not None:
            self._uncommitted(delivery, error)
            return
        crashpoint("commit.after")
        if advance(delivery, COMMITTED):
            if events.COMMITTED.listeners:
                events.COMMITTED.emit(delivery, messages=len(outbox))
            if outbox and events.PUBLISHED.listeners:
                events.PUBLISHED.emit(delivery, messages=len(outbox))
            delivery.consumer.settle(PendingAck(outbox, delivery, _DISPOSITION[delivery.failed], self._told))

    def _uncommitted(self, delivery: Delivery, error: BaseException) -> None:
        life = delivery.life
        assert life is not None
        assert life.record is not None
        words = describe(error)
        events.FINISH_FAILED.emit(delivery, error=words)
        if isinstance(error, self._closed):
            advance(delivery, Step.LEAVE)
            self._open.discard(delivery)
            life.run.end(Disposition.REQUEUE, self._share_with)
            return
        replaced = life.record.dead is not None and life.record.dead.code == "decision_invalid"
        advance(delivery, Step.UNWRITABLE)
        if not replaced:
            with suppress(Exception):
                self._decisions.give_up(delivery, f"Its end cannot be written: {words}.")
        if life.state is State.RETURNING:
            delivery.requeue("unwritable", limited=False)
        self.release(delivery)

    # --- publish, then settle

    def _publish(self, delivery: Delivery, outbox: tuple[OutboxMessage, ...], disposition: Disposition) -> None:
        self._open.add(delivery)
        if outbox and events.PUBLISHED.listeners:
            events.PUBLISHED.emit(delivery, messages=len(outbox))
        delivery.consumer.settle(PendingAck(outbox, delivery, disposition, self._told))

    def _told(self, pending_ack: PendingAck, error: BaseException | None) -> None:
        delivery = pending_ack.delivery
        if error is not None:
            if advance(delivery, Step.UNCONFIRMED):
                pause = pending_ack.pause = min(max(2 * pending_ack.pause, FIRST_PAUSE), LAST_PAUSE)
                events.UNCONFIRMED.emit(delivery, next_try_in=pause, error=describe(error))
                self.failed.append((time.monotonic() + pause, pending_ack))
            return
        if not advance(delivery, SETTLED):
            return
        life = delivery.life
        assert life is not None
        outbox = pending_ack.outbox
        if outbox:
            if events.CONFIRMED.listeners:
                events.CONFIRMED.emit(delivery, messages=len(outbox))
            if delivery.returned is None:  # what the journal does not have it cannot forget
                self._journal.confirmed((outbox[0].seq,) if len(outbox) == 1 else [each.seq for each in outbox])
        if events.ACKED.listeners:
            events.ACKED.emit(
                delivery, disposition=pending_ack.disposition.value,
                duration=max(0.0, time.time() - life.started_at) if life.started_at else 0.0,
            )  # fmt: skip
        self._open.discard(delivery)
        if life.took:
            disposition = pending_ack.disposition if delivery.returned is None else Disposition.REQUEUE
            life.run.end(disposition, partial(self._share, delivery.consumer))

    # --- other deliveries of the same run

    def _share_with(self, duplicate: Delivery, disposition: Disposition) -> None:
        if advance(duplicate, Step.SHARE):
            self._publish(duplicate, (), disposition)

    def _share(self, first: DeliveringConsumer, duplicate: Delivery, disposition: Disposition) -> None:
        # By the consumer of the first, which knows its run: the delivery itself would be part of a cycle.
        # One dead letter is enough, if the first delivery became one. Nobody confirms that: its rejection may have been
        # lost with its connection, and the copy may be here for that very reason.
        rejected = disposition is Disposition.DEAD_LETTER and not first.closed
        self._share_with(duplicate, Disposition.ACK if rejected else disposition)

    # --- what failed, and the end of the worker

    @property
    def unsettled(self) -> int:
        """How many have ended and are not settled."""
        return len(self._open)

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
                events.UNSETTLED.emit(messages=len(self._open))
                return False
            time.sleep(0.01)
        return True

    def try_again(self) -> None:
        """Publish what failed before and is due by now."""
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
