"""The ledger: what was due, who may send it, and what became of it. Each step is one transaction under a job's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import NotFound
from growbin_jobs.scheduler.claiming import decide
from growbin_jobs.scheduler.claims import Claim, claim, next_id
from growbin_jobs.scheduler.due_times import insert, write_due
from growbin_jobs.scheduler.jobs import ScheduledJob, next_message_id
from growbin_jobs.scheduler.open_runs import open_runs, waits_for
from growbin_jobs.scheduler.planning import Planned
from growbin_jobs.scheduler.registry import JobState, Registry, locked
from growbin_jobs.scheduler.rows import NOT_RUN, OPEN, LedgerRow, RunState, database_time
from growbin_jobs.scheduler.rules import parse_rule
from growbin_jobs.scheduler.set_back import is_ahead, take_back


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
            and not is_ahead(state, now)
        }

    def advance(self, job: ScheduledJob) -> list[Claim]:
        """Plan what has come, settle what is not to be run, and claim what is to be sent now.

        Returns:
          What this process has to send, in order, within :data:`~growbin_jobs.scheduler.claims.LEASE`.
        """

        def work(connection: Any) -> list[Claim]:
            state = locked(connection, self.database, job.name)
            if state is None or state.removed_at is not None:
                return []
            now = self._clock(connection)
            if is_ahead(state, now):
                state = take_back(connection, state, now)
            write_due(connection, job, state, now)
            runs = open_runs(connection, job.name)
            steps = decide(job, runs, now, waits_for=waits_for(connection, job, runs))
            return claim(connection, job.name, steps, now, process=self._process)

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
                insert(connection, job, state, [row], before, now, manual=True)
                return now
            again = {"state": RunState.DUE, "manual": 1, "not_before": now, "reason": f"asked for by {by}"}
            again |= {"ended_at": None, "sent_at": None, "started_at": None}
            again |= {"message_id": next_id(connection, job.name, due)}
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
            write_due(connection, job, state, self._clock(connection))

        self.registry.resume(job.name, settle)


def _next_of(state: JobState) -> datetime:
    return parse_rule(state.rule).next_after(state.planned_until, ZoneInfo(state.zone))
