"""Write down what becomes of each message, before the broker is told that it is done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dramatiq import Middleware, Worker
from dramatiq.broker import Broker
from dramatiq.middleware import SkipMessage

from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.crash_isolation import CrashIsolation
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.endings import GivenUp, ending
from growbin_jobs.engine.delivery.intake import DeliveryIntake
from growbin_jobs.engine.delivery.records import Started, TaskHistory, TaskState
from growbin_jobs.engine.delivery.runs import counted
from growbin_jobs.engine.delivery.settlement import Settlement
from growbin_jobs.engine.errors import Deferred, describe

if TYPE_CHECKING:
    from growbin_jobs.engine.journal.journal import Journal

logger = logging.getLogger(__name__)

#: Seconds that a stopping worker waits for what has ended to be settled; the rest is delivered again.
DRAIN_TIMEOUT = 10.0


class Journaling(Middleware):
    """Begins each message in the journal, and hands its end to the settlement.

    It stands nearly first: whether to run is decided before anything else happens, and its end is written down after
    all others have had their say, the retry and the record of a failure included.

    Deliveries of brokers that know nothing of it (Dramatiq's StubBroker in tests) pass untouched.

    Parameters:
      journal: Returns the process's journal; called in workers only.
      max_crashes: A message that was running so many times in a row when its worker died is given up. All of them but
        one must be its own beyond doubt: nothing else that ran was under suspicion.
    """

    def __init__(self, journal: Callable[[], Journal], *, max_crashes: int = 3) -> None:
        self._open_journal = journal
        self._max_crashes = max_crashes
        self._journal: Journal
        self._settlement: Settlement
        self._probation = CrashIsolation()

    def prepare(self) -> None:
        """Open the journal when a worker starts.

        Raises:
          ConfigurationError: If it can never be opened.
          Deferred: If it cannot be used for now.
        """
        self._open_journal().lookup([])

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        if hasattr(broker, "intake"):
            self._journal = self._open_journal()
            self._settlement = Settlement(self._journal)
            broker.intake = DeliveryIntake(self._journal, self._settlement)
            self._probation = CrashIsolation()

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if not isinstance(message, Delivery) or message.run is None:
            return
        if not self._settlement.admit(message):
            raise SkipMessage
        message.started_at = time.time()
        if message.history is not None and message.history.crashes and not self._suspect(message, message.history):
            return
        try:
            message.slot = self._journal.begin(
                message.message_id, message.actor_name, message.queue_name, partial(_started, message, self._journal)
            )
        except OSError as error:
            # Never run unjournaled: back to the queue, from where nothing is taken while the journal is ill.
            logger.exception("journal.start_failed message=%s", message)
            self._probation.leave(message)
            message.requeue()
            raise SkipMessage from error
        crashpoint("message.begun")

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if not isinstance(message, Delivery) or message.run is None:
            return
        self._ended(message)
        outbox = message.outbox.close() if message.outbox is not None else ()
        if message.requeued:
            return
        state = TaskState.COMPLETED
        if message.failed:
            state = TaskState.DEAD
        elif exception is not None:
            if not any(each.message_id == message.message_id for each in outbox):
                self._without_retry(message)
                return
            state = TaskState.FAILED
        error = None if exception is None else describe(exception)
        record = ending(
            message,
            state,
            worker=self._journal.worker,
            started_at=message.started_at,
            result=result,
            error=error,
            outbox=outbox,
            given_up=_given_up(message, exception) if state is TaskState.DEAD else None,
            deferred=state is TaskState.FAILED and isinstance(exception, Deferred),
        )
        self._settlement.finished(message, record)

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        if not isinstance(message, Delivery) or message.slot is None:
            return  # settled without a run, see before_process_message
        self._ended(message)
        if message.outbox is not None:
            message.outbox.close()
        record = ending(
            message, TaskState.COMPLETED, worker=self._journal.worker, started_at=message.started_at, error="skipped"
        )
        self._settlement.finished(message, record)

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        if hasattr(self, "_journal"):
            self._probation.close()
            self._journal.disarm()

    def before_consumer_thread_shutdown(self, broker: Broker, thread: Any) -> None:
        # The workers have stopped, and the consumers still can settle.
        if hasattr(self, "_settlement"):
            self._settlement.drain(DRAIN_TIMEOUT)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        if hasattr(self, "_journal"):
            try:
                self._journal.write(lambda _: None)  # and so all that is written behind
            except Deferred as error:
                logger.warning("journal.unwritten_at_shutdown error=%s", error)

    def _suspect(self, message: Delivery, known: TaskHistory) -> bool:
        """Return True if a message may run that was running when its worker died."""
        if known.crashes >= self._max_crashes and known.lone_crashes >= self._max_crashes - 1:
            logger.error("message.killed_its_worker message=%s times=%d", message, known.crashes)
            message.given_up = ("worker_killed", {"times": known.crashes})
            message.fail()  # so that it is not run
            return False
        logger.warning("message.on_probation message=%s crashes=%d", message, known.crashes)
        if not self._probation.enter(message):
            message.requeue()
            raise SkipMessage
        return True

    def _ended(self, delivery: Delivery) -> None:
        if delivery.history is not None:
            self._probation.leave(delivery)
        slot, delivery.slot = delivery.slot, None
        if slot is not None:
            self._journal.end(slot)

    def _without_retry(self, delivery: Delivery) -> None:
        """Deal with a failure that nobody has decided about: a stale delivery comes again, another one goes back."""
        if not delivery.stale:
            logger.error("message.undecided message=%s it goes back to its queue", delivery)
        delivery.requeue()


def _started(delivery: Delivery, journal: Journal) -> Started:
    return Started(
        task_id=delivery.message_id,
        task_name=delivery.actor_name,
        queue_name=delivery.queue_name,
        payload=delivery.body.decode("utf-8", "replace"),
        worker=journal.worker,
        started_at=delivery.started_at,
        created_at=delivery.message_timestamp / 1000,
        retry_count=counted(delivery.options, "retries"),
        deferrals=counted(delivery.options, "deferrals"),
        delivery_tag=getattr(delivery, "tag", None),
    )


def _given_up(delivery: Delivery, exception: BaseException | None) -> GivenUp:
    error = "given up" if exception is None else describe(exception)
    if delivery.given_up is not None:
        return GivenUp(*delivery.given_up, error, exception)
    attempts = counted(delivery.options, "retries") + 1
    return GivenUp("retries_exhausted", {"attempts": attempts, "detail": error}, error, exception)
