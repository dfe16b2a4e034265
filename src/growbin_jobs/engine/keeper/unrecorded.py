"""The keeper's look for dead letters that no worker has recorded, so that ``dead list`` shows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import apsw

from growbin_jobs.engine import events
from growbin_jobs.engine.broker.port import BrokerPort, DeadLetter
from growbin_jobs.engine.broker.unrecorded import record_of
from growbin_jobs.engine.delivery.records import Finish
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters, tasks


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Record them in this node's journal; each is taken by one node. The broker keeps its copy.

    Attributes:
      queues: Returns the queues of this application.
      keep_seconds: How long the journal keeps dead letters. Older ones are not recorded again.
    """

    journal: Journal
    broker: BrokerPort
    queues: Callable[[], Iterable[str]]
    keep_seconds: float

    def run_once(self) -> dict[str, int]:
        if not self.journal.health().writable:  # each try that fails counts as a delivery
            return {}
        recorded = self.broker.note_unrecorded(self.queues(), self._note)
        if not recorded:
            return {}
        events.DEAD_LETTERS_FOUND.emit(messages=recorded, reason="unrecorded")
        return {"recorded": recorded}

    def _note(self, letter: DeadLetter) -> bool:
        end = record_of(letter, self.journal.worker)
        if end is None or end.dead is None or end.dead.died_at < time.time() - self.keep_seconds:
            return False
        return self.journal.write(lambda connection: _record(connection, end), durable=True)


def _record(connection: apsw.Connection, end: Finish) -> bool:
    assert end.dead is not None
    if dead_letters.has_died(connection, end.task_id, end.dead.died_at):
        return False
    tasks.finish(connection, end)
    return True
