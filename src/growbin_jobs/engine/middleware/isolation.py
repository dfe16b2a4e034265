"""Joins a worker with the isolation of its suspects: which run alone, and how they come back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dramatiq import Worker
from dramatiq.broker import Broker
from dramatiq.worker import _WorkQueueItem

from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.lifecycle import Step, advance
from growbin_jobs.engine.delivery.records import TaskHistory
from growbin_jobs.engine.delivery.settlement import Settlement
from growbin_jobs.engine.isolation.policy import is_suspect
from growbin_jobs.engine.isolation.process import command_of_this_worker, shutdown_timeout_of_this_worker
from growbin_jobs.engine.isolation.runs import IsolatedRuns
from growbin_jobs.engine.processes import is_isolated_process

if TYPE_CHECKING:
    from growbin_jobs.engine.journal.journal import Journal


class Isolation:
    """The isolation of one worker.

    A program that has a worker of its own, and no process of the ``dramatiq`` command or of our supervisor, has none:
    nobody knows how to start its like. Its suspects run as all others.

    Parameters:
      environment: Variables of the isolation processes.
      broker, worker: Where messages come from and run.
      journal, settlement: Of the process.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        broker: Broker,
        worker: Worker,
        journal: Journal,
        settlement: Settlement,
    ) -> None:
        command = None if is_isolated_process() else command_of_this_worker()
        self._runs = None if command is None else IsolatedRuns(command, environment, journal, self)
        self._broker = broker
        self._worker: Any = worker
        self._settlement = settlement
        if self._runs is not None:
            settlement.isolate = self._runs.submit

    def takes(self, history: TaskHistory) -> bool:
        """Return True for a suspect, which is not to run in this process."""
        return self._runs is not None and is_suspect(history.crashes)

    def close(self) -> None:
        """Start no more runs: the worker stops."""
        if self._runs is not None:
            self._runs.close()

    def drain(self) -> None:
        """Wait for what runs, as long as the worker's other messages may take, and give back the rest."""
        if self._runs is not None:
            self._runs.drain(shutdown_timeout_of_this_worker())

    # --- what becomes of them

    def ended_elsewhere(self, delivery: Delivery, known: TaskHistory) -> None:
        """Settle one whose end is in the journal."""
        self._settlement.ended_elsewhere(delivery, known)

    def not_run(self, delivery: Delivery, *, counted: bool = False) -> None:
        """Give one back to the broker."""
        self._settlement.not_run(delivery, counted=counted)

    def give_up(self, delivery: Delivery, crashes: int) -> None:
        """Let a worker thread give up one that kills its process, so that all middleware sees it."""
        if not advance(delivery, Step.GIVE_UP):
            return
        delivery.give_up("worker_killed", {"times": crashes})
        priority = self._broker.get_actor(delivery.actor_name).priority
        self._worker.work_queue.put(_WorkQueueItem(priority, delivery))
