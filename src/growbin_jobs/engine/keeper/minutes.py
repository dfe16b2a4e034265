"""The keeper's jobs with the figures of each minute, and the end of what is old beside ``tasks``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import peewee

from growbin_jobs.engine.broker.port import BrokerPort
from growbin_jobs.engine.central.attempts import Attempts
from growbin_jobs.engine.central.bulk_jobs import BulkJobs
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.minutes import Minutes
from growbin_jobs.engine.central.queue_minutes import QueueMinutes
from growbin_jobs.engine.central.reruns import Reruns
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.delivery.records import TaskState


@dataclass(frozen=True, slots=True)
class ComputeMinutes:
    """Compute the figures of minutes that are over. All keepers may; each minute is computed by one at a time.

    Attributes:
      kept: How long ``tasks`` surely has all its rows.
      clock: Seconds since 1970, UTC.
    """

    minutes: Minutes
    kept: timedelta
    clock: Callable[[], float] = time.time

    def run_once(self) -> int:
        """Compute what is due; return how many minutes.

        Raises:
          Deferred: The database is away.
        """
        return self.minutes.compute_due(now=datetime.fromtimestamp(self.clock(), UTC), kept=self.kept)


@dataclass(frozen=True, slots=True)
class SampleQueues:
    """Ask the broker how deep its queues are, unless another node has in this minute.

    Attributes:
      queues: Returns the queues of this application.
      declare: RabbitMQ tells only of queues that are named.
      clock: Seconds since 1970, UTC.
    """

    samples: QueueMinutes
    broker: BrokerPort
    queues: Callable[[], Iterable[str]]
    declare: Callable[[str], object] | None
    clock: Callable[[], float] = time.time

    def run_once(self) -> bool:
        """Ask, and return whether it was this node that did.

        Raises:
          Deferred, BrokerConnectionError: The database or the broker is away; then this minute has no row of it.
        """
        now = datetime.fromtimestamp(self.clock(), UTC)
        minute, queues = now.replace(second=0, microsecond=0), set(self.queues())
        if not self.samples.lacks(minute, queues if self.declare else set()):
            return False
        for queue in queues if self.declare else ():
            assert self.declare is not None
            self.declare(queue)
        depths = self.broker.depths()
        self.samples.add(minute, depths, now=now)
        return bool(depths)


@dataclass(frozen=True, slots=True)
class ForgetOld:
    """Delete old rows of the central tables that the keepers write. Tasks that ended are the application's to delete.

    Attributes:
      tasks: How long attempts are kept whose task is gone.
      letters: How long dead letters, reruns and bulk jobs are kept, and pending tasks of which nobody has told anything
        since.
      minutes: How long the figures of minutes are kept.
    """

    database: Database
    tasks: timedelta
    letters: timedelta
    minutes: timedelta

    def __call__(self, now: datetime) -> dict[str, int]:
        """Delete, and return how many rows by table.

        Raises:
          Deferred: The database is away.
        """
        old = now - self.letters
        task, attempts = TaskRow, Attempts(self.database)
        pending = (task.status == TaskState.PENDING.value) & (task.created_at < old)
        vanished = task.delete().where(pending & (task.due_at.is_null() | (task.due_at < old)))

        def forget_vanished(connection: peewee.Database) -> int:
            return int(vanished.execute(connection))

        deleted = {"tasks": self.database.run(forget_vanished), "task_attempts": 0}
        while count := attempts.forget(ended_before=now - self.tasks):
            deleted["task_attempts"] += count
        deleted["dead_letters"] = DeadLetters(self.database).forget(died_before=old)
        deleted["task_reruns"] = Reruns(self.database).forget(before=old)
        deleted["bulk_jobs"] = BulkJobs(self.database).forget(seconds=self.letters.total_seconds())
        deleted["task_minutes"] = Minutes(self.database).forget(before=now - self.minutes)
        deleted["queue_minutes"] = QueueMinutes(self.database).forget(before=now - self.minutes)
        return {table: count for table, count in deleted.items() if count}
