"""Dramatiq's hooks as steps in the life of a delivery (:mod:`growbin_jobs.engine.delivery.lifecycle`)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dramatiq import Middleware, Worker
from dramatiq.broker import Broker
from dramatiq.middleware import SkipMessage

from growbin_jobs.engine import events
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.decide import Decisions
from growbin_jobs.engine.delivery.intake import DeliveryIntake, Start
from growbin_jobs.engine.delivery.settlement import Settlement
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.foreign_errors import describe, places
from growbin_jobs.engine.middleware.boot import ending_who_cannot_work
from growbin_jobs.engine.middleware.isolation import Isolation

if TYPE_CHECKING:
    from growbin_jobs.engine.journal.journal import Journal

#: Seconds that a stopping worker waits for what has ended to be settled; the rest is delivered again.
DRAIN_TIMEOUT = 10.0


class Lifecycle(Middleware):
    """Begins each delivery before all other middleware, and notes its end after all other.

    Its place is outermost wherever it stands in the stack (``position``, see :mod:`growbin_jobs.engine.fast.hooks`).
    Deliveries of brokers that know nothing of it (Dramatiq's StubBroker in tests) pass untouched.

    Parameters:
      journal: Returns the process's journal; called in workers only.
      environment: Variables of the processes in which suspects run.
    """

    position = -1

    def __init__(self, journal: Callable[[], Journal], *, environment: Mapping[str, str] | None = None) -> None:
        self._open_journal = journal
        self._environment = environment or {}
        self._journal: Journal | None = None
        self._isolation: Isolation
        self._start: Start
        self._decisions: Decisions
        self._settlement: Settlement

    def prepare(self) -> None:
        """Open the journal when a worker starts.

        Raises:
          ConfigurationError: If it can never be opened.
          Deferred: If it cannot be used for now.
        """
        self._open_journal().lookup([])

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        if hasattr(broker, "intake"):
            from growbin_jobs.engine.sqlite.committer import Closed  # with SQLite, which producers do not need

            with ending_who_cannot_work():
                self._journal = journal = self._open_journal()
            self._decisions = Decisions(journal)
            self._settlement = Settlement(journal, self._decisions, Closed)
            self._isolation = Isolation(self._environment, broker, worker, journal, self._settlement)
            self._start = Start(journal, self._isolation.takes)
            broker.intake = DeliveryIntake(journal, self._settlement)

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        if self._journal is not None:
            events.WORKER_STARTED.emit(threads=worker.worker_threads, worker=self._journal.worker)

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if getattr(message, "life", None) is None:
            if getattr(message, "stale", False):
                raise SkipMessage
            return
        try:
            begun = self._start.begin(broker, message)
        except Exception as error:
            # Raised out of here it would be logged, and the actor would run.
            events.DECISION_FAILED.emit(message, error=describe(error), where=places(error))
            begun = self._decisions.refuse_to_begin(message)
        if not begun:
            raise SkipMessage

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if getattr(message, "life", None) is not None:
            crashpoint("actor.after")
            self._decisions.decide(message, result, exception)

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        if getattr(message, "life", None) is not None:
            self._decisions.decide(message, skipped=True)

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        if self._journal is not None:
            self._isolation.close()
            self._journal.disarm()

    def before_consumer_thread_shutdown(self, broker: Broker, thread: Any) -> None:
        # The workers have stopped, and the consumers still can settle.
        if self._journal is not None:
            self._isolation.drain()
            self._settlement.drain(DRAIN_TIMEOUT)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        if self._journal is not None:
            try:
                self._journal.write(lambda _: None)  # and so all that is written behind
            except Deferred as error:
                reason = f"at the worker's end: {describe(error)}"
                events.JOURNAL_WRITABLE.emit(writable=False, reason=reason, level=logging.ERROR)
            events.WORKER_STOPPED.emit(unsettled=self._settlement.unsettled, worker=self._journal.worker)


class OutboxScope(Middleware):
    """Drops what a failed actor has sent, before any other middleware hears of its end.

    What other middleware sends, before the actor or after it, belongs to the end of the run: the retry, the record of a
    failure, a callback. Its place is innermost wherever it stands in the stack.
    """

    position = 1
    only_failures = True

    def before_process_message(self, broker: Broker, message: Any) -> None:
        life = getattr(message, "life", None)
        if life is not None:
            life.outbox.begin_actor()
            crashpoint("actor.before")

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if exception is not None:
            life = getattr(message, "life", None)
            if life is not None and life.outbox is not None:
                life.outbox.forget()

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        life = getattr(message, "life", None)
        if life is not None and life.outbox is not None and message.failed and message.given_up is None:
            message.give_up("skipped", {})  # now, so that what its actor's row says for that case is sent
