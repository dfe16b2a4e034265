"""Station 2: shall a delivery run here and now? Then its start is noted and its outbox opened."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from dramatiq.broker import Broker

from growbin_jobs.engine import events, processes
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.endings import created_at
from growbin_jobs.engine.delivery.lifecycle import Life, Step, advance
from growbin_jobs.engine.delivery.outbox import Outbox
from growbin_jobs.engine.delivery.records import Started, TaskHistory
from growbin_jobs.engine.delivery.runs import counted, has_ended
from growbin_jobs.engine.foreign_errors import describe


class Journal(Protocol):
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

    def __init__(self, journal: Journal, isolates: Callable[[TaskHistory], bool] = lambda _: False) -> None:
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
        return advance(delivery, Step.BEGIN)


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


def _started(delivery: Delivery, journal: Journal) -> Started:
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
