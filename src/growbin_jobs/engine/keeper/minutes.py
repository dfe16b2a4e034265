"""The keeper's jobs with the figures of each minute, and the end of what is old beside ``tasks``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from growbin_jobs.engine.broker.port import BrokerPort
from growbin_jobs.engine.central.bulk_jobs import BulkJobs
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.error_days import ErrorDays
from growbin_jobs.engine.central.fields import stored_moment
from growbin_jobs.engine.central.forgetting import OldRows, forget
from growbin_jobs.engine.central.minutes import Minutes
from growbin_jobs.engine.central.queue_minutes import QueueMinutes
from growbin_jobs.engine.central.rollup import DAYS, SPANS
from growbin_jobs.engine.central.spans import Spans


@dataclass(frozen=True, slots=True)
class ComputeMinutes:
    """Compute the figures of minutes, spans and days that are over. All keepers may; each is computed by one at a time.

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
        now = datetime.fromtimestamp(self.clock(), UTC)
        computed = self.minutes.compute_due(now=now, kept=self.kept)
        Spans(self.minutes.database).compute_due(now=now)
        ErrorDays(self.minutes.database).compute_due(now=now)
        return computed


@dataclass(frozen=True, slots=True)
class NoteLacking:
    """Have those spans and days computed again of which a keeper of the release before computed a part.

    Attributes:
      clock: Seconds since 1970, UTC.
    """

    database: Database
    clock: Callable[[], float] = time.time

    def run_once(self) -> int:
        """Look through the days before this one, and this one as far as it is over; return how many were found.

        Raises:
          Deferred: The database is away.
        """
        now = datetime.fromtimestamp(self.clock(), UTC)
        today = DAYS.begin(now)
        since = today - 2 * DAYS.long
        spans = Spans(self.database).note_lacking(since, SPANS.begin(now) - SPANS.long)
        return spans + ErrorDays(self.database).note_lacking(since, today)


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
        """Delete in batches, and return how many rows by table.

        Raises:
          Deferred: The database is away.
        """
        deleted = forget(self.database, self.old_rows(now))
        bulk = BulkJobs(self.database).forget(seconds=self.letters.total_seconds())
        return deleted | ({"bulk_jobs": bulk} if bulk else {})

    def old_rows(self, now: datetime) -> list[OldRows]:
        """Return what is to be deleted at a time."""
        letters, minutes = stored_moment(now - self.letters), stored_moment(now - self.minutes)
        attempts = stored_moment(now - self.tasks)
        task_is_gone = "NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.task_id = task_attempts.task_id)"
        return [
            OldRows(
                "tasks", ("task_id",),
                "status = 'pending' AND created_at < ? AND (due_at IS NULL OR due_at < ?)", (letters, letters),
            ),
            OldRows(
                "task_attempts", ("task_id", "node", "ended_at", "outcome"), f"ended_at < ? AND {task_is_gone}",
                (attempts,),
            ),
            OldRows("dead_letters", ("id",), "died_at < ?", (letters,)),
            OldRows("task_reruns", ("task_id",), "at < ? AND sent_at IS NOT NULL", (letters,)),
            OldRows("task_minutes", ("minute", "queue_name", "task_name", "outcome"), "minute < ?", (minutes,)),
            OldRows(
                "task_spans", ("span", "queue_name", "task_name", "outcome"), "span < ?",
                (stored_moment(now - self.minutes - SPANS.long),),
            ),
            OldRows("error_minutes", ("hour", "minute", "cause", "node"), "minute < ?", (minutes,)),
            OldRows("error_hours", ("hour", "cause", "node"), "hour < ?", (minutes,)),
            OldRows("error_days", ("day", "cause"), "day < ?", (stored_moment(now - self.minutes - DAYS.long),)),
            OldRows("error_causes", ("cause",), "seen_at < ?", (minutes,)),
            OldRows("queue_minutes", ("minute", "queue_name"), "minute < ?", (minutes,)),
        ]  # fmt: skip
