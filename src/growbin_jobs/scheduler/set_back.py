"""Finds out that the clock has been set back since a job was planned, and takes its planning back to it."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from growbin_jobs.scheduler.claims import LEASE
from growbin_jobs.scheduler.registry import JobState, change
from growbin_jobs.scheduler.rows import NOT_RUN, OPEN, LedgerRow, RunState

logger = logging.getLogger(__name__)

#: A job that is planned further ahead than so much was planned by a clock that has been set back since. Less may be a
#: clock that is wrong now, as by the hour of summer time: it comes to those times again, and nothing is sent twice.
SET_BACK: Final = timedelta(hours=2)


def is_ahead(state: JobState, now: datetime) -> bool:
    """Return whether a job was planned under a clock that has been set back since."""
    return state.planned_until - now > SET_BACK


def take_back(connection: Any, state: JobState, now: datetime) -> JobState:
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
