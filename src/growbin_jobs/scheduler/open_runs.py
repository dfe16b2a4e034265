"""Reads a job's due times that have had no end, and the job that they wait for. Under the job's lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from growbin_jobs.scheduler.claiming import OpenRun
from growbin_jobs.scheduler.jobs import ScheduledJob
from growbin_jobs.scheduler.rows import OPEN, LedgerRow, RunState, StateRow


def open_runs(connection: Any, job: str) -> list[OpenRun]:
    """Return the due times of a job that have had no end, in order."""
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


def waits_for(connection: Any, job: ScheduledJob, runs: Sequence[OpenRun]) -> str | None:
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


def _since(row: dict[str, Any]) -> datetime:
    moment = {
        RunState.CLAIMED: row["claimed_until"],
        RunState.SENT: row["sent_at"],
        RunState.STARTED: row["started_at"],
    }.get(RunState(row["state"]))
    due: datetime = row["due"]
    return moment or due


def _state_of(connection: Any, job: str) -> datetime | None:
    """Return up to when a job is planned; None where there is no such job."""
    query = StateRow.select(StateRow.planned_until).where((StateRow.job == job) & StateRow.removed_at.is_null())
    rows = list(query.dicts().execute(connection))
    return rows[0]["planned_until"] if rows else None
