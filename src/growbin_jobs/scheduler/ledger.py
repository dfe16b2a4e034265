"""The ledger: what was due, who may send it, and what became of it. Each step is one transaction under a job's lock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.periodic.due import due_between
from growbin_jobs.engine.periodic.zones import tzdata_version
from growbin_jobs.errors import NotFound
from growbin_jobs.scheduler.claiming import OpenRun, Step, decide
from growbin_jobs.scheduler.jobs import ScheduledJob, calendar_period, data_interval, message_id, next_message_id
from growbin_jobs.scheduler.planning import Planned, plan
from growbin_jobs.scheduler.registry import JobState, Registry, change, locked
from growbin_jobs.scheduler.rows import NOT_RUN, OPEN, LedgerRow, RevisionRow, RunState, StateRow, database_time
from growbin_jobs.scheduler.rules import parse_rule

logger = logging.getLogger(__name__)

#: How long a scheduler has for sending what it has claimed; then another one sends it.
LEASE: Final = timedelta(seconds=20)

#: A job that is planned further ahead than so much was planned by a clock that has been set back since. Less may be a
#: clock that is wrong now, as by the hour of summer time: it comes to those times again, and nothing is sent twice.
SET_BACK: Final = timedelta(hours=2)

_HAS_HAD: Final = "edited: the day, week or month has had its run by the rule before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A due time that this process sends now.

    Attributes:
      due: When it is nominally due.
      since, until: The data that it is about.
      message_id: The same whoever sends it.
      fence: Grows with each claim; only the latest one may say that it was sent.
    """

    job: str
    due: datetime
    since: datetime
    until: datetime
    message_id: str
    fence: int


class Ledger:
    """What schedulers do with the ledger.

    Parameters:
      database: The central one.
      process: A name of this process that no other has.
      clock: Returns the time by a connection; default: the database's own clock.

    Every method raises Deferred when the database is away; then nothing may be sent.
    """

    def __init__(self, database: Database, process: str, *, clock: Callable[[Any], datetime] = database_time) -> None:
        self.database = database
        self.registry = Registry(database, clock=clock)
        self._process = process
        self._clock = clock

    def now(self) -> datetime:
        """Return the time by the clock that decides."""
        return self.database.run(self._clock)

    def idle(self, jobs: Iterable[ScheduledJob]) -> set[str]:
        """Return the names of jobs of which nothing is due, open or unknown: nothing needs to be locked for them."""
        now, states = self.now(), self.registry.states()
        query = LedgerRow.select(LedgerRow.job).where(LedgerRow.state.in_(OPEN)).distinct()
        busy = {row["job"] for row in self.database.rows(query)}
        return {
            job.name
            for job in jobs
            if job.name not in busy
            and (state := states.get(job.name)) is not None
            and _next_of(state) > now
            and not _is_ahead(state, now)
        }

    def advance(self, job: ScheduledJob) -> list[Claim]:
        """Plan what has come, settle what is not to be run, and claim what is to be sent now.

        Returns:
          What this process has to send, in order, within :data:`LEASE`.
        """

        def work(connection: Any) -> list[Claim]:
            state = locked(connection, self.database, job.name)
            if state is None or state.removed_at is not None:
                return []
            now = self._clock(connection)
            if _is_ahead(state, now):
                state = _taken_back(connection, state, now)
            self.plan(connection, job, state, now)
            runs = _open_runs(connection, job.name)
            waits_for = self._waits_for(connection, job, runs)
            steps = decide(job, runs, now, waits_for=waits_for)
            claimed = [step.due for step in steps if self._take(connection, job, step, now)]
            return self._claims(connection, job.name, claimed)

        return self.database.transaction(work)

    def sent(self, claim: Claim) -> bool:
        """Note that the broker has a message. Returns False where another process has claimed it meanwhile."""
        row = LedgerRow
        mine = (row.job == claim.job) & (row.due == claim.due) & (row.fence == claim.fence)

        def work(connection: Any) -> bool:
            now = self._clock(connection)
            noted = row.update(sent_at=now).where(mine & row.sent_at.is_null()).execute(connection)
            # A worker may have begun it before we came here.
            states = row.update(state=RunState.SENT).where(mine & (row.state == RunState.CLAIMED))
            return bool(states.execute(connection)) or bool(noted)

        return self.database.transaction(work)

    def run_now(self, job: ScheduledJob, *, due: datetime | None, by: str) -> datetime:
        """Have a job run because a person asks for it, and return its due time.

        Parameters:
          due: A due time that had no effect, to be run after all; None: one of its own, now.
          by: Who asks.

        Raises:
          NotFound: The ledger has no such due time, or it has had its effect or is on its way.
        """

        def work(connection: Any) -> datetime | None:
            state = locked(connection, self.database, job.name)
            now = self._clock(connection)
            if state is None:
                return None
            if due is None:
                before = max(state.since, now - timedelta(days=1))
                row = Planned(due=now, covers_from=now, state=RunState.DUE, not_before=now, reason=f"asked for by {by}")
                self._insert(connection, job, state, [row], before, manual=True)
                return now
            again = {"state": RunState.DUE, "manual": 1, "not_before": now, "reason": f"asked for by {by}"}
            again |= {"ended_at": None, "sent_at": None, "started_at": None}
            again |= {"message_id": _next_id(connection, job.name, due)}
            had_none = LedgerRow.state.in_((*NOT_RUN, RunState.FAILED, RunState.SENT))
            query = LedgerRow.update(again).where((LedgerRow.job == job.name) & (LedgerRow.due == due) & had_none)
            return due if query.execute(connection) else None

        found = self.database.transaction(work)
        if found is None:
            raise NotFound(
                f"{job.name} has no such due time that had no effect. `growbin-jobs schedule history {job.name}` shows "
                "them."
            )
        return found

    def ended_elsewhere(self, job: str, message_id: str) -> bool:
        """Have a due time sent anew whose message has ended on a node, while no effect of it is known here.

        So it is where the database was restored to a moment before that effect.

        Parameters:
          job: Its name.
          message_id: Of the message that a node does not run again.

        Returns:
          False where the due time has come to an end, or has another message by now.
        """
        row = LedgerRow
        this = (row.job == job) & (row.message_id == message_id) & row.state.in_((RunState.CLAIMED, RunState.SENT))
        anew = {"state": RunState.DUE, "message_id": next_message_id(message_id), "sent_at": None}

        def work(connection: Any) -> bool:
            locked(connection, self.database, job)
            # Who has claimed it may not note any more that it was sent.
            return bool(row.update({**anew, "fence": row.fence + 1}).where(this).execute(connection))

        return self.database.transaction(work)

    def resume(self, job: ScheduledJob) -> None:
        """End a pause; what came until now stays skipped.

        Raises:
          NotFound: There is no such job.
        """

        def settle(connection: Any) -> None:
            state = locked(connection, self.database, job.name)
            assert state is not None
            self.plan(connection, job, state, self._clock(connection))

        self.registry.resume(job.name, settle)

    # --- inside a transaction, under the job's lock

    def plan(self, connection: Any, job: ScheduledJob, state: JobState, now: datetime) -> None:
        """Write a row for each due time that has come."""
        when, zone = parse_rule(state.rule), ZoneInfo(state.zone)
        dues = list(due_between(when, zone, state.planned_until, now))
        if not dues:
            return
        had = self._period_before(connection, state)

        def excused(due: datetime) -> str | None:
            period = calendar_period(when, due, zone)
            return state.excuse(due) or (_HAS_HAD if had is not None and period == had else None)

        self._insert(connection, job, state, plan(job, dues, now, excused=excused), state.planned_until)
        change(connection, job.name, planned_until=now)

    def _period_before(self, connection: Any, state: JobState) -> str | None:
        """Return the day, week or month of the last run by the rule before the current one, while it is the last."""
        ran = LedgerRow.state.in_((*OPEN, RunState.DONE, RunState.FAILED)) & (LedgerRow.manual == 0)
        query = LedgerRow.select().where((LedgerRow.job == state.job) & ran).order_by(LedgerRow.due.desc()).limit(1)
        rows = list(query.dicts().execute(connection))
        if not rows or rows[0]["revision"] == state.revision:
            return None
        rule, zone = _revision(connection, state.job, rows[0]["revision"])
        return calendar_period(parse_rule(rule), rows[0]["due"], ZoneInfo(zone))

    def _insert(
        self,
        connection: Any,
        job: ScheduledJob,
        state: JobState,
        planned: Sequence[Planned],
        before: datetime,
        *,
        manual: bool = False,
    ) -> None:
        zone = ZoneInfo(state.zone)
        for each in planned:
            since, until = data_interval(job, each.due, before, zone)
            values = {
                "job": job.name, "due": each.due, "state": each.state, "message_id": message_id(job.name, each.due),
                "revision": state.revision, "tzdata": tzdata_version(), "data_since": since, "data_until": until,
                "not_before": each.not_before, "done_by": each.due + job.done_within, "covers_from": each.covers_from,
                "covers": each.covers, "manual": int(manual), "fence": 0, "reason": each.reason,
                "ended_at": None if each.state is RunState.DUE else self._clock(connection),
            }  # fmt: skip
            LedgerRow.insert(values).on_conflict_ignore().execute(connection)
            before = each.due

    def _waits_for(self, connection: Any, job: ScheduledJob, runs: Sequence[OpenRun]) -> str | None:
        """Return the job that must be done first, where its latest due time before ours has not been."""
        dues = [run.due for run in runs if run.state is RunState.DUE]
        if job.after is None or not dues:
            return None
        first = _state_of(connection, job.after)
        if first is None:
            return None  # nobody has such a job
        row = LedgerRow
        query = row.select(row.state).where((row.job == job.after) & (row.due <= dues[0]) & (row.manual == 0))
        rows = list(query.order_by(row.due.desc()).limit(1).dicts().execute(connection))
        if not rows:
            # Its due time has come and is not planned yet, or it had none so far: a job that is new has nothing behind.
            return job.after if first < dues[0] else None
        return None if rows[0]["state"] in (RunState.DONE, RunState.COALESCED) else job.after

    def _take(self, connection: Any, job: ScheduledJob, step: Step, now: datetime) -> bool:
        """Write a step; return whether it is one that this process sends."""
        row = LedgerRow
        this = (row.job == job.name) & (row.due == step.due)
        values: dict[str, Any] = {"state": step.state}
        if step.state is RunState.CLAIMED:
            values |= {"claimed_by": self._process, "claimed_until": now + LEASE, "fence": row.fence + 1}
            if step.anew:
                values |= {"message_id": _next_id(connection, job.name, step.due), "sent_at": None}
        else:
            values["reason"] = step.reason
            if step.state is not RunState.DUE:
                values["ended_at"] = now
        row.update(values).where(this).execute(connection)
        return step.state is RunState.CLAIMED

    @staticmethod
    def _claims(connection: Any, job: str, dues: list[datetime]) -> list[Claim]:
        query = LedgerRow.select().where((LedgerRow.job == job) & LedgerRow.due.in_(dues)).order_by(LedgerRow.due)
        return [
            Claim(
                job=job,
                due=row["due"],
                since=row["data_since"],
                until=row["data_until"],
                message_id=row["message_id"],
                fence=row["fence"],
            )
            for row in (query.dicts().execute(connection) if dues else ())
        ]


def _is_ahead(state: JobState, now: datetime) -> bool:
    return state.planned_until - now > SET_BACK


def _taken_back(connection: Any, state: JobState, now: datetime) -> JobState:
    """Let a job's due times count again that have not come: they were dealt with under a clock that was ahead.

    What was sent of them stays as it is, so that none has its effect twice; it has been so since now, as far as is
    known.
    """
    row = LedgerRow
    ahead = (row.job == state.job) & (row.due > now) & (row.manual == 0)
    never = ahead & row.state.in_((*NOT_RUN, RunState.DUE))
    covered = [each["covers_from"] for each in row.select(row.covers_from).where(never).dicts().execute(connection)]
    row.delete().where(never).execute(connection)
    mine = (row.job == state.job) & row.state.in_(OPEN)
    for moment, latest in ((row.claimed_until, now + LEASE), (row.sent_at, now), (row.started_at, now)):
        row.update({moment: latest}).where(mine & (moment > latest)).execute(connection)
    planned_until = min([now, *(first - timedelta(microseconds=1) for first in covered)])
    change(connection, state.job, planned_until=planned_until)
    logger.warning(
        "scheduler.clock_was_ahead job=%s planned_until=%s: its due times count again",
        *(state.job, state.planned_until.isoformat()),
    )
    return replace(state, planned_until=planned_until)


def _next_id(connection: Any, job: str, due: datetime) -> str:
    query = LedgerRow.select(LedgerRow.message_id).where((LedgerRow.job == job) & (LedgerRow.due == due))
    rows = list(query.dicts().execute(connection))
    return next_message_id(rows[0]["message_id"] if rows else message_id(job, due))


def _next_of(state: JobState) -> datetime:
    return parse_rule(state.rule).next_after(state.planned_until, ZoneInfo(state.zone))


def _open_runs(connection: Any, job: str) -> list[OpenRun]:
    query = LedgerRow.select().where((LedgerRow.job == job) & LedgerRow.state.in_(OPEN)).order_by(LedgerRow.due)
    return [
        OpenRun(
            due=row["due"],
            state=RunState(row["state"]),
            since=_since(row),
            not_before=row["not_before"],
            manual=bool(row["manual"]),
        )
        for row in query.dicts().execute(connection)
    ]


def _since(row: dict[str, Any]) -> datetime:
    moment = {
        RunState.CLAIMED: row["claimed_until"],
        RunState.SENT: row["sent_at"],
        RunState.STARTED: row["started_at"],
    }.get(RunState(row["state"]))
    due: datetime = row["due"]
    return moment or due


def _revision(connection: Any, job: str, number: int) -> tuple[str, str]:
    query = RevisionRow.select().where((RevisionRow.job == job) & (RevisionRow.number == number))
    [row] = query.dicts().execute(connection)
    return row["rule"], row["zone"]


def _state_of(connection: Any, job: str) -> datetime | None:
    """Return up to when a job is planned; None where there is no such job."""
    query = StateRow.select(StateRow.planned_until).where((StateRow.job == job) & StateRow.removed_at.is_null())
    rows = list(query.dicts().execute(connection))
    return rows[0]["planned_until"] if rows else None
