"""Starts those who observe a worker process when it starts, and ends them when it stops."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dramatiq import Middleware, Worker
from dramatiq.broker import Broker

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.observers import End

if TYPE_CHECKING:
    from growbin_jobs.engine.journal.journal import Journal

logger = logging.getLogger(__name__)


class Observation(Middleware):
    """See the module. Of brokers that know nothing of the journal it observes nothing.

    Parameters:
      config: Whose observers.
      journal: Returns the process's journal.
    """

    def __init__(self, config: EngineConfig, journal: Callable[[], Journal]) -> None:
        self._config = config
        self._journal = journal
        self._ends: list[End] = []

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        if hasattr(broker, "intake"):
            self._ends = begin(
                lambda observer: observer.in_worker(self._config, self._journal()), self._config.observers
            )

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        ends, self._ends = self._ends, []
        end(ends)


def begin(start: Callable[[Any], End], observers: tuple[Any, ...]) -> list[End]:
    """Start observers, and return what ends those that have begun."""
    ends = []
    for observer in observers:
        try:
            ends.append(start(observer))
        except Exception:
            logger.exception("observer.not_started")
    return ends


def end(ends: list[End]) -> None:
    """End observers."""
    for each in ends:
        try:
            each()
        except Exception:
            logger.exception("observer.not_ended")
