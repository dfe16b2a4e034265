"""The keeper's job that collects messages which RabbitMQ could not deliver when they were due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from growbin_jobs.engine import events
from growbin_jobs.engine.delivery.records import Finish
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import tasks


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """Make dead letters of this node of them; each is taken by one node.

    Attributes:
      collect: Such as ``engine.broker.rabbitmq.undeliverable.collect``; gets the worker's name and what keeps an end.
    """

    journal: Journal
    collect: Callable[[str, Callable[[Finish], object]], int]

    def run_once(self) -> dict[str, int]:
        if not self.journal.health().writable:  # each try that fails counts as a delivery
            return {}
        collected = self.collect(self.journal.worker, self._keep)
        if not collected:
            return {}
        events.DEAD_LETTERS_FOUND.emit(messages=collected, reason="undeliverable")
        return {"collected": collected}

    def _keep(self, end: Finish) -> None:
        self.journal.write(lambda connection: tasks.finish(connection, end), durable=True)
