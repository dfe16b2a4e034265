"""Which rule holds for each job, and who paused it: brings the database to the table without replaying anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.periodic.due import due_between
from growbin_jobs.engine.periodic.zones import tzdata_version
from growbin_jobs.errors import NotFound
from growbin_jobs.scheduler.jobs import ScheduledJob, message_id
from growbin_jobs.scheduler.rows import LedgerRow, RevisionRow, RunState, StateRow, database_time
from growbin_jobs.scheduler.rules import parse_rule

Clock = Callable[[Any], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What registering the table changes for one job.

    Attributes:
      kind: What happens to it.
      before, after: Its rule and zone; None where it has none.
      next_before, next_after: Its next due time.
      dropped: Due times that have come by the rule before and were not sent: they are skipped, and not sent later.
    """

    job: str
    kind: Literal["new", "edited", "removed"]
    before: tuple[str, str] | None
    after: tuple[str, str] | None
    next_before: datetime | None
    next_after: datetime | None
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """What the database knows of a job.

    Attributes:
      rule, zone: That hold now.
      since: From when on they hold.
      planned_until: Due times up to here have been dealt with.
      paused_at: When it was paused; None where it is not.
    """

    job: str
    revision: int
    rule: str
    zone: str
    since: datetime
    planned_until: datetime
    paused_at: datetime | None
    paused_until: datetime | None
    paused_by: str | None
    pause_reason: str | None
    removed_at: datetime | None

    def excuse(self, due: datetime) -> str | None:
        """Return why a due time must not be run: the job was paused then; else None."""
        if self.paused_at is None or (self.paused_until is not None and due >= self.paused_until):
            return None
        return f"paused by {self.paused_by}: {self.pause_reason}"


class Registry:
    """The registered rules.

    Parameters:
      database: The central one.
      clock: Returns the time by a connection; default: the database's own clock.

    Every method raises Deferred when the database is away.
    """

    def __init__(self, database: Database, *, clock: Clock = database_time) -> None:
        self.database = database
        self.clock = clock

    def states(self) -> dict[str, JobState]:
        """Return what is known of each job, those that were removed too."""
        return self.database.run(lambda connection: {each.job: each for each in _states(connection)})

    def register(self, jobs: Iterable[ScheduledJob], zone: ZoneInfo) -> list[Change]:
        """Let the table hold from now on. Nothing that was due before is run because of it.

        Parameters:
          jobs: Those that the scheduler fires.
          zone: Of their times.
        """
        return self._compared(jobs, zone, self._apply)

    def compare(self, jobs: Iterable[ScheduledJob], zone: ZoneInfo) -> list[Change]:
        """Return what :meth:`register` would change, and change nothing."""
        return self._compared(jobs, zone, lambda *_: None)

    def pause(self, job: str, *, by: str, reason: str, until: datetime | None = None) -> None:
        """Skip a job's due times from now on, until a time or until it is resumed. It survives restarts.

        Raises:
          NotFound: There is no such job.
        """

        def work(connection: Any) -> bool:
            now = self.clock(connection)
            state = locked(connection, self.database, job)
            if state is None:
                return False
            change(connection, job, paused_at=now, paused_until=until, paused_by=by, pause_reason=reason)
            waiting = (LedgerRow.job == job) & (LedgerRow.state == RunState.DUE) & (LedgerRow.manual == 0)
            skipped = {"state": RunState.SKIPPED, "ended_at": now, "reason": f"paused by {by}: {reason}"}
            LedgerRow.update(skipped).where(waiting).execute(connection)
            return True

        self._found(job, self.database.transaction(work))

    def resume(self, job: str, settle: Callable[[Any], None]) -> None:
        """Let a job's due times count from now on; those that came meanwhile stay skipped.

        Parameters:
          settle: Plans in the same transaction what has come until now.

        Raises:
          NotFound: There is no such job.
        """

        def work(connection: Any) -> bool:
            if locked(connection, self.database, job) is None:
                return False
            settle(connection)
            now = self.clock(connection)
            nobody = {"paused_at": None, "paused_until": None, "paused_by": None, "pause_reason": None}
            change(connection, job, planned_until=now, **nobody)
            return True

        self._found(job, self.database.transaction(work))

    @staticmethod
    def _found(job: str, found: bool) -> None:
        if not found:
            raise NotFound(f"No scheduler has registered a job {job!r}. `growbin-jobs schedule list` shows the jobs.")

    # --- comparing and registering

    def _compared(
        self, jobs: Iterable[ScheduledJob], zone: ZoneInfo, apply: Callable[[Any, Change, datetime], None]
    ) -> list[Change]:
        wanted = {job.name: job for job in jobs if not job.every_node}

        def work(connection: Any) -> list[Change]:
            now = self.clock(connection)
            names = sorted(wanted.keys() | {each.job for each in _states(connection)})
            changes = []
            for name in names:
                found = self._difference(locked(connection, self.database, name), name, wanted.get(name), zone, now)
                if found is not None:
                    apply(connection, found, now)
                    changes.append(found)
            return changes

        return self.database.transaction(work)

    @staticmethod
    def _difference(
        state: JobState | None, name: str, job: ScheduledJob | None, zone: ZoneInfo, now: datetime
    ) -> Change | None:
        known = state is not None and state.removed_at is None
        before = (state.rule, state.zone) if state is not None and known else None
        after = (str(job.when), zone.key) if job is not None else None
        if before == after:
            return None
        coming = parse_rule(before[0]) if before else None
        return Change(
            job=name,
            kind="new" if before is None else "removed" if after is None else "edited",
            before=before,
            after=after,
            next_before=coming.next_after(now, ZoneInfo(before[1])) if coming and before else None,
            next_after=job.when.next_after(now, zone) if job is not None else None,
            dropped=sum(1 for _ in _overdue(state, now)) if state is not None and known else 0,
        )

    def _apply(self, connection: Any, change_: Change, now: datetime) -> None:
        state = locked(connection, self.database, change_.job)
        if state is not None and state.removed_at is None:
            self._end_revision(connection, state, now, removed=change_.after is None)
        if change_.after is None:
            change(connection, change_.job, removed_at=now, planned_until=now)
            return
        number = (state.revision if state is not None else 0) + 1
        if state is None:
            row = StateRow.insert(job=change_.job, revision=number, planned_until=now)
            row.on_conflict_ignore().execute(connection)  # another scheduler may have started at the same moment
        else:
            change(connection, change_.job, revision=number, planned_until=now, removed_at=None)
        rule, zone = change_.after
        revision = RevisionRow.insert(job=change_.job, number=number, rule=rule, zone=zone, since=now)
        revision.on_conflict_ignore().execute(connection)

    @staticmethod
    def _end_revision(connection: Any, state: JobState, now: datetime, *, removed: bool) -> None:
        """Skip what has come by the rule that ends and was not sent; it is not sent by the next one either."""
        reason = "removed: the job was taken out of the table" if removed else "edited: the job has a new rule"
        current = (RevisionRow.job == state.job) & (RevisionRow.number == state.revision)
        RevisionRow.update(until=now).where(current).execute(connection)
        unsent = (RunState.DUE, RunState.CLAIMED) if removed else (RunState.DUE,)
        waiting = (LedgerRow.job == state.job) & LedgerRow.state.in_(unsent)
        skipped = {"state": RunState.SKIPPED, "ended_at": now, "reason": reason, "fence": LedgerRow.fence + 1}
        LedgerRow.update(skipped).where(waiting).execute(connection)
        overdue = list(_overdue(state, now))
        if overdue:
            row = {
                "job": state.job, "due": overdue[-1], "state": RunState.SKIPPED, "reason": reason, "ended_at": now,
                "message_id": message_id(state.job, overdue[-1]), "revision": state.revision, "manual": 0, "fence": 0,
                "tzdata": tzdata_version(), "data_since": overdue[0], "data_until": overdue[-1], "not_before": now,
                "done_by": overdue[-1], "covers_from": overdue[0], "covers": len(overdue),
            }  # fmt: skip
            LedgerRow.insert(row).on_conflict_ignore().execute(connection)


def _overdue(state: JobState, now: datetime) -> Iterable[datetime]:
    return due_between(parse_rule(state.rule), ZoneInfo(state.zone), state.planned_until, now)


def _joined() -> Any:
    on = (RevisionRow.job == StateRow.job) & (RevisionRow.number == StateRow.revision)
    columns = [RevisionRow.rule, RevisionRow.zone, RevisionRow.since]
    return StateRow.select(StateRow, *columns).join(RevisionRow, peewee.JOIN.INNER, on=on)


def _states(connection: Any) -> list[JobState]:
    return [JobState(**row) for row in _joined().order_by(StateRow.job).dicts().execute(connection)]


def locked(connection: Any, database: Database, job: str) -> JobState | None:
    """Return what is known of a job and keep everybody else from changing it until the transaction's end."""
    query = _joined().where(StateRow.job == job)
    if database.dialect == "postgresql":  # SQLite has one writer at a time, from the transaction's beginning
        StateRow.select(StateRow.job).where(StateRow.job == job).for_update().execute(connection)
    rows = list(query.dicts().execute(connection))
    return JobState(**rows[0]) if rows else None


def change(connection: Any, job: str, **columns: Any) -> None:
    """Change a job's state; the caller has locked it."""
    StateRow.update(columns).where(StateRow.job == job).execute(connection)
