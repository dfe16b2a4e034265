"""What people see of the schedule: jobs with their next due time and last outcome, history, what is to come."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.periodic.cron import Cron
from growbin_jobs.engine.periodic.due import due_between
from growbin_jobs.scheduler.jobs import ScheduledJob
from growbin_jobs.scheduler.registry import Clock, JobState, Registry
from growbin_jobs.scheduler.rows import OPEN, LedgerRow, RunState, database_time

#: Seconds after its due time from which on a message was sent late.
SENT_LATE: Final = 2.0


class Trouble(StrEnum):
    """How much somebody should look at a job."""

    NONE = "none"
    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a due time.

    Attributes:
      outcome: One word: ``due``, ``claimed``, ``sent``, ``started``, ``done``, ``failed``, ``late``, ``overlapped``,
        ``coalesced``, ``skipped`` or ``missed``. ``late``: done after its time, or not yet.
      state: The same without ``late``.
      late_by: Seconds beyond the time by which it must have been done; 0 where it was in time.
      covers: How many due times this stands for; the earliest is ``covers_from``.
    """

    job: str
    due: datetime
    outcome: str
    state: str
    reason: str | None
    late_by: float
    sent_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    covers: int
    covers_from: datetime
    since: datetime
    until: datetime
    manual: bool
    message_id: str

    @property
    def trouble(self) -> Trouble:
        """How bad it is."""
        if self.state in (RunState.FAILED, RunState.MISSED):
            return Trouble.FAILED
        return Trouble.LATE if self.outcome == "late" else Trouble.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as ``schedule list`` shows it.

    Attributes:
      rule, zone: Those that are registered; of the table where none is.
      next_due: None for what is paused without an end, or not registered.
      last: What became of the latest due time that was to be run; None where there was none.
      registered: A scheduler has registered it as the table has it.
    """

    job: str
    rule: str
    zone: str
    where: str
    catch_up: str
    overlap: str
    after: str | None
    next_due: datetime | None
    last: Outcome | None
    paused_by: str | None
    pause_reason: str | None
    paused_until: datetime | None
    registered: bool
    warnings: list[str]


class Overview:
    """Reads the schedule.

    Parameters:
      database: The central one.
      jobs: The table, those of every node too.
      zone: Of its times.
      clock: Returns the time by a connection; default: the database's own clock.

    Every method raises Deferred when the database is away.
    """

    def __init__(
        self, database: Database, jobs: Sequence[ScheduledJob], zone: ZoneInfo, *, clock: Clock = database_time
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._zone = zone
        self._clock = clock

    def jobs(self) -> list[JobView]:
        """Return all jobs of the table."""
        states = Registry(self._database, clock=self._clock).states()
        now = self._database.run(self._clock)
        return [self._view(job, states.get(job.name), now) for job in self._jobs]

    def history(self, job: str | None, *, limit: int = 20) -> list[Outcome]:
        """Return what became of the latest due times, the newest first."""
        now = self._database.run(self._clock)
        query = LedgerRow.select().order_by(LedgerRow.due.desc(), LedgerRow.job).limit(limit)
        if job is not None:
            query = query.where(LedgerRow.job == job)
        return [_outcome(row, now) for row in self._database.rows(query)]

    def _view(self, job: ScheduledJob, state: JobState | None, now: datetime) -> JobView:
        known = state is not None and state.removed_at is None
        return JobView(
            job=job.name,
            rule=state.rule if state is not None and known else str(job.when),
            zone=state.zone if state is not None and known else self._zone.key,
            where="every node" if job.every_node else "once",
            catch_up=str(job.catch_up),
            overlap=job.overlap.value,
            after=job.after,
            next_due=self._next(job, state, now),
            last=self._last(job, now),
            paused_by=state.paused_by if state else None,
            pause_reason=state.pause_reason if state else None,
            paused_until=state.paused_until if state else None,
            registered=job.every_node
            or (state is not None and known and (state.rule, state.zone) == (str(job.when), self._zone.key)),
            warnings=job.when.warnings if isinstance(job.when, Cron) else [],
        )

    def _next(self, job: ScheduledJob, state: JobState | None, now: datetime) -> datetime | None:
        after = now
        if state is not None and state.paused_at is not None:
            if state.paused_until is None:
                return None
            after = max(now, state.paused_until)
        if not job.every_node and (state is None or state.removed_at is not None):
            return None
        return job.when.next_after(after, self._zone)

    def _last(self, job: ScheduledJob, now: datetime) -> Outcome | None:
        to_be_run = LedgerRow.state.not_in((RunState.COALESCED, RunState.SKIPPED))
        query = LedgerRow.select().where((LedgerRow.job == job.name) & to_be_run)
        rows = self._database.rows(query.order_by(LedgerRow.due.desc()).limit(1))
        return _outcome(rows[0], now) if rows else None


def preview(
    jobs: Sequence[ScheduledJob], zone: ZoneInfo, since: datetime, until: datetime, *, job: str | None = None
) -> Iterator[tuple[datetime, str]]:
    """Yield the due times of a table later than ``since``, up to ``until``, with their jobs, in order of time.

    Parameters:
      job: Only of this one.
    """

    def of(each: ScheduledJob) -> Iterator[tuple[datetime, str]]:
        return ((due, each.name) for due in due_between(each.when, zone, since, until))

    return heapq.merge(*(of(each) for each in jobs if job in (None, each.name)))


def _outcome(row: dict[str, Any], now: datetime) -> Outcome:
    state = row["state"]
    ended = row["ended_at"] if state == RunState.DONE else now if state in OPEN else None
    late_by = max(0.0, (ended - row["done_by"]).total_seconds()) if ended is not None else 0.0
    sent_late = row["sent_at"] is not None and (row["sent_at"] - row["due"]).total_seconds() > SENT_LATE
    # What a person asked for was not due at that second.
    late = late_by > 0 or (state == RunState.DONE and sent_late and not row["manual"])
    return Outcome(
        job=row["job"],
        due=row["due"],
        outcome="late" if late else state,
        state=state,
        reason=row["reason"],
        late_by=late_by,
        sent_at=row["sent_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        covers=row["covers"],
        covers_from=row["covers_from"],
        since=row["data_since"],
        until=row["data_until"],
        manual=bool(row["manual"]),
        message_id=row["message_id"],
    )
