"""The keeper's job that sends messages which people let run again.

It takes each into its journal first: from there the message reaches the broker whatever happens. Where the node that
had begun has fallen silent, another one sends it, under the same id.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from growbin_jobs.engine import events
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.reruns import Rerun, Reruns
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import tasks


@dataclass(frozen=True, slots=True)
class SendReruns:
    """Send what people let run again.

    Attributes:
      send: Hands the outbox to the broker: the keeper's relay.
      clock: Seconds since 1970, UTC.
    """

    journal: Journal
    reruns: Reruns
    lost: Lost
    send: Callable[[], object]
    clock: Callable[[], float] = time.time

    def run_once(self) -> dict[str, int]:
        """Send what waits.

        Raises:
          Deferred, BrokerConnectionError: The database, the journal or the broker is away; what was kept is sent later.
        """
        waiting, me = self.reruns.waiting(), self.journal.node
        begun = [each for each in waiting if each.carried_by not in (None, me)]
        living = self.lost.living(self._now()) if begun else set()
        done = sum(self._take(each) for each in waiting if each.carried_by not in living - {me})
        if done:
            self.send()
        return {"sent": done} if done else {}

    def _take(self, rerun: Rerun) -> bool:
        body = self.reruns.carry(rerun, node=self.journal.node)
        if body is None:
            return False
        message = OutboxMessage(
            message_id=rerun.task_id, task_name=rerun.task_name, queue_name=rerun.queue_name, body=body,
            due_at=None if rerun.due_at is None else rerun.due_at.timestamp(),
        )  # fmt: skip
        at = self.clock()
        self.journal.write(
            lambda connection: tasks.accept(connection, message, body.decode("utf-8", "replace"), now=at), durable=True
        )
        self.reruns.sent(rerun, at=self._now())
        events.RERUN_SENT.emit(id=rerun.task_id, rerun_of=rerun.rerun_of, kind=rerun.kind.value, by=rerun.by)
        return True

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)
