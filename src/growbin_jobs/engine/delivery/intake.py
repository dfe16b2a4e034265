"""Station 1: deliveries arrive. May they come, and what does this node know of them?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from growbin_jobs.engine import events
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.lifecycle import Life
from growbin_jobs.engine.delivery.records import Health, TaskHistory
from growbin_jobs.engine.delivery.runs import Runs
from growbin_jobs.engine.delivery.settlement import Settlement
from growbin_jobs.engine.errors import Deferred

#: Seconds between two looks at the journal's health while it is good.
HEALTH_INTERVAL = 1.0


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
        """Learn what the journal knows about what has arrived.

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
        if events.RECEIVED.listeners:
            events.RECEIVED.emit(messages=len(deliveries), queue=deliveries[0].queue_name)
        crashpoint("message.received")
        return True
