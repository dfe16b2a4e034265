"""Writes a row into the ledger for each due time of a job. Under the job's lock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.periodic.due import due_between
from growbin_jobs.engine.periodic.zones import tzdata_version
from growbin_jobs.scheduler.jobs import ScheduledJob, calendar_period, data_interval, message_id
from growbin_jobs.scheduler.planning import Planned, plan
from growbin_jobs.scheduler.registry import JobState, change
from growbin_jobs.scheduler.rows import OPEN, LedgerRow, RevisionRow, RunState
from growbin_jobs.scheduler.rules import parse_rule

_HAS_HAD: Final = "edited: the day, week or month has had its run by the rule before"


def write_due(connection: Any, job: ScheduledJob, state: JobState, now: datetime) -> None:
    """Write a row for each due time that has come since the job was planned last.

    Parameters:
      job: Of which.
      state: As it is read under its lock.
      now: By the clock that decides.
    """
    when, zone = parse_rule(state.rule), ZoneInfo(state.zone)
    dues = list(due_between(when, zone, state.planned_until, now))
    if not dues:
        return
    had = _period_before(connection, state)

    def excused(due: datetime) -> str | None:
        period = calendar_period(when, due, zone)
        return state.excuse(due) or (_HAS_HAD if had is not None and period == had else None)

    insert(connection, job, state, plan(job, dues, now, excused=excused), state.planned_until, now)
    change(connection, job.name, planned_until=now)


def insert(
    connection: Any,
    job: ScheduledJob,
    state: JobState,
    planned: Sequence[Planned],
    before: datetime,
    now: datetime,
    *,
    manual: bool = False,
) -> None:
    """Write rows of due times; what is there already stays as it is.

    Parameters:
      job, state: Of which.
      planned: What is known of each, in order.
      before: The due time before the first one.
      now: By the clock that decides.
      manual: A person asked for them.
    """
    zone = ZoneInfo(state.zone)
    for each in planned:
        since, until = data_interval(job, each.due, before, zone)
        values = {
            "job": job.name, "due": each.due, "state": each.state, "message_id": message_id(job.name, each.due),
            "revision": state.revision, "tzdata": tzdata_version(), "data_since": since, "data_until": until,
            "not_before": each.not_before, "done_by": each.due + job.done_within, "covers_from": each.covers_from,
            "covers": each.covers, "manual": int(manual), "fence": 0, "reason": each.reason,
            "ended_at": None if each.state is RunState.DUE else now,
        }  # fmt: skip
        LedgerRow.insert(values).on_conflict_ignore().execute(connection)
        before = each.due


def _period_before(connection: Any, state: JobState) -> str | None:
    """Return the day, week or month of the last run by the rule before the current one, while it is the last."""
    ran = LedgerRow.state.in_((*OPEN, RunState.DONE, RunState.FAILED)) & (LedgerRow.manual == 0)
    query = LedgerRow.select().where((LedgerRow.job == state.job) & ran).order_by(LedgerRow.due.desc()).limit(1)
    rows = list(query.dicts().execute(connection))
    if not rows or rows[0]["revision"] == state.revision:
        return None
    rule, zone = _revision(connection, state.job, rows[0]["revision"])
    return calendar_period(parse_rule(rule), rows[0]["due"], ZoneInfo(zone))


def _revision(connection: Any, job: str, number: int) -> tuple[str, str]:
    query = RevisionRow.select().where((RevisionRow.job == job) & (RevisionRow.number == number))
    [row] = query.dicts().execute(connection)
    return row["rule"], row["zone"]
