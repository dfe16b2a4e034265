"""Station 3: a run has ended, or its delivery goes back; the record of that is made."""

from __future__ import annotations

import time
from typing import Any, Protocol

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine import events
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.endings import GivenUp, completion, ending
from growbin_jobs.engine.delivery.lifecycle import DECIDE, RUNNING, Life, Step, advance
from growbin_jobs.engine.delivery.records import COMPLETED, DROPPED, Finish, OutboxMessage, TaskState
from growbin_jobs.engine.delivery.runs import counted, has_ended
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.foreign_errors import describe, is_a, places

#: What may pass by itself: a decision that fails with one of these is made anew, some times.
PASSING = (OSError, MemoryError, BrokerConnectionError, Deferred)


class Journal(Protocol):
    """What this station needs of :class:`growbin_jobs.engine.journal.journal.Journal`."""

    @property
    def worker(self) -> str:
        """This process's name in rows."""

    def end(self, slot: int) -> None:
        """Clear a slot of the ledger."""


class Decisions:
    """Makes the record of each end; one for each worker process.

    Parameters:
      journal: Where starts are noted.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def decide(
        self,
        delivery: Delivery,
        result: Any = None,
        exception: BaseException | None = None,
        *,
        skipped: bool = False,
    ) -> None:
        """Note how a run has ended, after all middleware has had its say. Raises nothing.

        Parameters:
          result: What the actor returned.
          exception: What it raised.
          skipped: A middleware has skipped it, after it had begun.
        """
        life = delivery.life
        assert life is not None
        if life.state is not RUNNING or life.outbox is None:
            # Settled without a run, or decided before: Dramatiq calls twice when it is interrupted in between.
            return
        if life.outbox.inherited:
            advance(delivery, Step.LEAVE)
            return
        outbox = life.outbox.close()
        try:
            if delivery.returned is None:
                if skipped:
                    self._skipped(delivery, outbox)
                else:
                    self._ended(delivery, life, outbox, result, exception)
        except Exception as error:
            self._failed(delivery, error)
        if delivery.returned is not None:
            advance(delivery, Step.LEAVE if delivery.stale else Step.RETURN)
            self._tell(delivery, life, "requeued", 0)
        # Last: what hangs or kills in all that is counted as a crash.
        slot, life.slot = life.slot, None
        if slot is not None:
            self._journal.end(slot)

    def refuse(self, delivery: Delivery) -> None:
        """Note that nobody here knows the actor of a delivery."""
        life = delivery.life
        assert life is not None
        if not take_run(delivery, life):
            return
        delivery.give_up("actor_unknown", {"actor": delivery.actor_name})
        self._write(delivery, TaskState.DEAD, "no such actor", exception=delivery._exception)

    def abandon(self, delivery: Delivery) -> None:
        """Send a delivery back about which nobody has said anything, although it ran."""
        delivery.requeue("undecided")
        self.decide(delivery)

    def refuse_to_begin(self, delivery: Delivery) -> bool:
        """Send a delivery back whose begin has failed. Returns False."""
        delivery.requeue("begin_failed")
        life = delivery.life
        assert life is not None
        if life.outbox is not None:
            life.outbox.close()
        advance(delivery, Step.RETURN)
        return False

    def give_up(self, delivery: Delivery, detail: str) -> None:
        """Give a delivery up about which nothing can be decided.

        Parameters:
          detail: Why, in words that may be stored.
        """
        delivery.give_up("decision_invalid", {"detail": detail})
        self._write(delivery, TaskState.DEAD, detail)

    # --- the end of what has begun

    def _ended(
        self,
        delivery: Delivery,
        life: Life,
        outbox: tuple[OutboxMessage, ...],
        result: Any,
        exception: BaseException | None,
    ) -> None:
        assert life.outbox is not None
        next_run = life.outbox.next_run
        if exception is None and next_run is None and not delivery.failed:  # nearly always
            started_at = life.started_at or time.time()
            record = completion(
                delivery, worker=self._journal.worker, started_at=started_at, result=result, outbox=outbox
            )
            self._keep(delivery, life, record, COMPLETED)
            return
        error = None if exception is None else describe(exception)
        if delivery.failed and delivery.given_up is not None and delivery.given_up[0] in DROPPED:
            self._dropped(delivery, delivery.given_up[0], outbox)
        elif delivery.failed:
            self._write(delivery, TaskState.DEAD, error or "given up", outbox=outbox, exception=exception)
        elif next_run is not None:
            deferred = next_run[1] == life.run.key[1]
            self._write(delivery, TaskState.FAILED, error or "sent itself again", outbox=outbox, deferred=deferred)
        else:
            # A failure that no middleware has decided about; a stale delivery comes again anyway.
            delivery.requeue("undecided")

    def _dropped(self, delivery: Delivery, how: str, outbox: tuple[OutboxMessage, ...]) -> None:
        delivery.failed = False  # it is done: no dead letter
        self._write(delivery, TaskState.COMPLETED, how, outbox=outbox, outcome=how)

    def _skipped(self, delivery: Delivery, outbox: tuple[OutboxMessage, ...]) -> None:
        if delivery.failed:
            if delivery.given_up is None:
                delivery.give_up("skipped", {})
            self._write(delivery, TaskState.DEAD, "skipped", outbox=outbox)
            return
        events.SKIPPED.emit(delivery)
        self._write(delivery, TaskState.COMPLETED, "skipped", outbox=outbox, outcome="skipped")

    def _failed(self, delivery: Delivery, error: Exception) -> None:
        words = describe(error)
        events.DECISION_FAILED.emit(
            delivery, error=words,
            where=places(error),
        )  # fmt: skip
        if is_a(error, PASSING):
            delivery.requeue("decision_failed")
            return
        try:
            self.give_up(delivery, words)
        except Exception:  # not even that can be written down
            delivery.requeue("decision_failed")

    def _write(
        self,
        delivery: Delivery,
        state: TaskState,
        error: str | None,
        *,
        outbox: tuple[OutboxMessage, ...] = (),
        exception: BaseException | None = None,
        deferred: bool = False,
        outcome: str | None = None,
    ) -> None:
        life = delivery.life
        assert life is not None
        given_up = _given_up(delivery, state, error or "", exception)
        record = ending(
            delivery, state, worker=self._journal.worker, started_at=life.started_at or time.time(), error=error,
            outbox=outbox, given_up=given_up, deferred=deferred,
        )  # fmt: skip
        self._keep(delivery, life, record, outcome or ("deferred" if deferred else state))

    def _keep(self, delivery: Delivery, life: Life, record: Finish, outcome: str) -> None:
        if advance(delivery, DECIDE):
            life.record = record
            if events.ENDED.listeners:
                self._tell(delivery, life, outcome, len(record.outbox))

    def _tell(self, delivery: Delivery, life: Life, outcome: str, messages: int) -> None:
        if events.ENDED.listeners:
            events.ENDED.emit(
                delivery, outcome=str(outcome),
                duration=max(0.0, time.time() - life.started_at) if life.started_at else 0.0, messages=messages,
            )  # fmt: skip


def _given_up(delivery: Delivery, state: TaskState, error: str, exception: BaseException | None) -> GivenUp | None:
    if state is not TaskState.DEAD:
        return None
    if delivery.given_up is None:
        attempts = counted(delivery.options, "retries") + 1
        delivery.give_up("retries_exhausted", {"attempts": attempts, "detail": error})
    assert delivery.given_up is not None
    return GivenUp(*delivery.given_up, error, exception)


def take_run(delivery: Delivery, life: Life) -> bool:
    """Take the run of a delivery. Returns False if another delivery has it, or if it ended on this node before."""
    if not life.run.take():
        advance(delivery, Step.DUPLICATE)
        return False
    life.took = True
    if life.history is None or not has_ended(delivery, life.history):
        return True
    advance(delivery, Step.KNOWN)
    events.KNOWN.emit(delivery, state=str(life.history.state))
    return False
