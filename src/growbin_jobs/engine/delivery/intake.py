"""Station 1: deliveries arrive. Admits them, and looks up what this node knows of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from dramatiq.broker import Broker

from growbin_jobs.engine import events, processes
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.admission import MAX_BODY, MAX_DELAY
from growbin_jobs.engine.delivery.decide import take_run
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.due_time import seconds_until_due
from growbin_jobs.engine.delivery.endings import created_at
from growbin_jobs.engine.delivery.lifecycle import BEGIN, Life, Step, advance
from growbin_jobs.engine.delivery.outbox import Outbox
from growbin_jobs.engine.delivery.records import Health, Started, TaskHistory
from growbin_jobs.engine.delivery.runs import Runs, counted
from growbin_jobs.engine.delivery.settlement import Settlement
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.foreign_errors import describe

#: Seconds between two looks at the journal's health while it is good.
HEALTH_INTERVAL = 1.0

#: Seconds after which a message comes again that has been given an id. The acknowledgement of the one without is on its
#: way by then: where the message kills this worker, it must not come back as well, and get another id.
_NAMED_AFTER = 1.0


class Journal(Protocol):
    """What the intake needs of :class:`growbin_jobs.engine.journal.journal.Journal`."""

    def lookup(self, task_ids: Sequence[str]) -> dict[str, TaskHistory]:
        """Return what is known about messages, or raise Deferred."""

    def health(self) -> Health:
        """Can it be written?"""


class DeliveryIntake:
    """The intake of a worker process: all its consumers ask the same one.

    Parameters:
      journal: What this node knows.
      settlement: Where deliveries go from here, also those that never run.
    """

    def __init__(self, journal: Journal, settlement: Settlement) -> None:
        self._journal = journal
        self._settlement = settlement
        #: Told that Dramatiq is done with a delivery.
        self.release = settlement.release
        self._runs: Runs[Delivery] = Runs()
        self._writable = True
        self._next_look = 0.0

    def ready(self) -> bool:
        """Return False while the journal cannot be written; also the moment to try again what has failed."""
        if self._settlement.failed:
            self._settlement.try_again()
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + HEALTH_INTERVAL
            health = self._journal.health()
            if health.writable != self._writable:
                self._writable = health.writable
                if health.writable:
                    events.RESUMED.emit()
                else:
                    events.STOPPED_FETCHING.emit(reason=health.reason)
        return self._writable

    def receive(self, deliveries: Sequence[Delivery]) -> bool:
        """Learn what the journal knows about what has arrived, and send back what is not due yet (``returned``).

        Returns:
          False if it cannot be asked for now.
        """
        # The runs first: one that ends from now on is either known to the journal, or taken.
        runs = [self._runs.of(delivery) for delivery in deliveries]
        try:
            known = self._journal.lookup([each.message_id for each in deliveries])
        except Deferred as error:
            events.LOOKUP_FAILED.emit(error=str(error))
            return False
        for delivery, run in zip(deliveries, runs, strict=True):
            delivery.life = Life(run, known.get(delivery.message_id))
            if "eta" in delivery.options and _put_off(delivery):
                self.release(delivery)
        if events.RECEIVED.listeners:
            events.RECEIVED.emit(messages=len(deliveries), queue=deliveries[0].queue_name)
        crashpoint("message.received")
        return True

    def leave(self, delivery: Delivery) -> bool:
        """Let the broker have back a delivery that has not begun; its consumer tells it. Returns whether it may."""
        life = delivery.life
        return life is not None and not life.took and not delivery.failed and advance(delivery, Step.LEAVE)


def put_aside(delivery: Delivery, reason: str, seconds: float) -> bool:
    """Let a delivery that has not begun come again later: nothing counts that, and no record is made of it.

    Parameters:
      reason: In a word.
      seconds: After how long.

    Returns:
      False where it cannot be put aside: it goes on as ever.
    """
    if delivery.failed or delivery.stale:
        return False
    delivery.requeue(reason, counted=False, after=seconds)
    return advance(delivery, Step.RETURN)


def _put_off(delivery: Delivery) -> bool:
    """Let the broker hold a message until the due time that its sender has named.

    Dramatiq's worker would hold it in memory, where it takes a place of the prefetch: as many as that, due tomorrow,
    would keep all others of their queue waiting.

    Returns:
      False where it cannot be sent back: Dramatiq's worker waits with it.
    """
    seconds = min(seconds_until_due(delivery.options), MAX_DELAY / 1000)
    if seconds <= 0:  # it has come in this moment
        del delivery.options["eta"]
        return False
    if len(delivery.body) > MAX_BODY or not put_aside(delivery, "not_due", seconds):
        return False
    events.NOT_DUE.emit(delivery, seconds=seconds)
    return True


def _name(delivery: Delivery) -> bool:
    """Let a message without an id go back to its queue with one, and not run before.

    With another id at each delivery it would run as often as it is delivered, and where it kills its worker nobody
    would know that it was always the same.

    Returns:
      False where it cannot: it runs under the id that it has been given here.
    """
    if len(delivery.body) > MAX_BODY or not put_aside(delivery, "nameless", _NAMED_AFTER):
        return False
    events.NAMED.emit(delivery)
    return True


class StartLedger(Protocol):
    """What this station needs of :class:`growbin_jobs.engine.journal.journal.Journal`."""

    @property
    def worker(self) -> str:
        """This process's name in rows."""

    def begin(self, task_id: str, task_name: str, queue_name: str, hint: Callable[[], Started] | None = None) -> int:
        """Note a start in the ledger."""


class Start:
    """Lets deliveries begin, or says why not.

    Parameters:
      journal: Where starts are noted.
      isolates: Says by its history whether a message is to run in an isolation process, and not here.
    """

    def __init__(self, journal: StartLedger, isolates: Callable[[TaskHistory], bool] = lambda _: False) -> None:
        self._journal = journal
        self._isolates = isolates
        self._generation = processes.generation

    def begin(self, broker: Broker, delivery: Delivery) -> bool:
        """Let a delivery begin.

        Returns:
          True if it is to run, unless it was marked as failed; False: skip it.
        """
        life = delivery.life
        assert life is not None
        if delivery.stale or self._generation != processes.generation:
            advance(delivery, Step.LEAVE)
            return False
        if delivery.nameless and _name(delivery):
            return False
        if delivery.given_up is not None and life.took:  # it has killed the process in which it ran alone
            return self._note(broker, delivery, life)
        if not take_run(delivery, life):
            return False
        history = life.history
        if history is not None and history.crashes:
            events.SUSPECTED.emit(delivery, crashes=history.crashes)
            if self._isolates(history):
                advance(delivery, Step.ISOLATE)
                return False
        return self._note(broker, delivery, life)

    def _note(self, broker: Broker, delivery: Delivery, life: Life) -> bool:
        life.started_at = time.time()
        if not delivery.failed:
            try:
                life.slot = self._journal.begin(
                    delivery.message_id, delivery.actor_name, delivery.queue_name,
                    partial(_started, delivery, self._journal),
                )  # fmt: skip
            except OSError as error:
                # Never run unjournaled: back to the queue, from where nothing is taken while the journal is ill.
                events.START_FAILED.emit(delivery, error=describe(error))
                delivery.requeue("start_failed", limited=False)
                advance(delivery, Step.RETURN)
                return False
        crashpoint("message.begun")
        outbox = life.outbox = Outbox(broker, life.run.key, delivery.body)
        outbox.open()
        if events.STARTED.listeners:
            options = delivery.options
            events.STARTED.emit(
                delivery,
                waited=max(0.0, life.started_at - (created_at(delivery) or life.started_at)),
                retries=counted(options, "retries"), deferrals=counted(options, "deferrals"),
            )  # fmt: skip
        return advance(delivery, BEGIN)


def _started(delivery: Delivery, journal: StartLedger) -> Started:
    return Started(
        task_id=delivery.message_id,
        task_name=delivery.actor_name,
        queue_name=delivery.queue_name,
        payload=delivery.body.decode("utf-8", "replace"),
        worker=journal.worker,
        started_at=delivery.life.started_at if delivery.life is not None else time.time(),
        created_at=created_at(delivery),
        retry_count=counted(delivery.options, "retries"),
        deferrals=counted(delivery.options, "deferrals"),
        delivery_tag=getattr(delivery, "tag", None),
    )
