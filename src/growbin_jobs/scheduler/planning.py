"""Decides what happens to due times that have come: run, or settled with a reason. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from growbin_jobs.scheduler.jobs import RunAll, ScheduledJob
from growbin_jobs.scheduler.rows import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A row to be: one due time, or several in a row that are settled alike.

    Attributes:
      due: The due time; of several the latest.
      covers_from: Of several the earliest.
      covers: How many.
      state: ``due`` where it is to be run.
      not_before: When it may be sent.
      reason: Why it is not run.
    """

    due: datetime
    covers_from: datetime
    covers: int = 1
    state: RunState
    not_before: datetime
    reason: str | None = None


def plan(
    job: ScheduledJob, dues: Sequence[datetime], now: datetime, *, excused: Callable[[datetime], str | None]
) -> list[Planned]:
    """Return the rows of due times that have come, in order; each due time is covered by exactly one.

    Parameters:
      job: Whose policies.
      dues: All due times since the last plan, in order.
      now: By the database's clock.
      excused: Returns why a due time must not be run, such as a pause; else None.
    """
    reasons = {due: reason for due in dues if (reason := excused(due)) is not None}
    wanted = [due for due in dues if due not in reasons]
    run, dropped, state, reason = _caught_up(job, wanted, now)
    fates = {due: (RunState.SKIPPED, each) for due, each in reasons.items()}
    fates |= dict.fromkeys(dropped, (state, reason))
    starts = {due: now + number * _pace(job) for number, due in enumerate(run)}
    rows: list[Planned] = []
    for due in dues:
        if due in starts:
            rows.append(Planned(due=due, covers_from=due, state=RunState.DUE, not_before=starts[due]))
        else:
            _settle(rows, due, *fates[due], after_run=bool(rows) and rows[-1].state is RunState.DUE)
    return rows


def _caught_up(
    job: ScheduledJob, dues: list[datetime], now: datetime
) -> tuple[list[datetime], Iterable[datetime], RunState, str]:
    """Return which due times are run, which are not, and what those become, with the reason."""
    policy = job.catch_up
    young = [due for due in dues if now - due <= policy.max_age]
    if isinstance(policy, RunAll):
        run = young[-policy.most :]
        return run, dues[: len(dues) - len(run)], RunState.MISSED, "no scheduler ran, and it is too old to catch up"
    if not young:
        return [], dues, RunState.MISSED, "no scheduler ran, and it is too old to catch up"
    return young[-1:], dues[:-1], RunState.COALESCED, "the latest of the missed due times is run for them"


def _settle(rows: list[Planned], due: datetime, state: RunState, reason: str, *, after_run: bool) -> None:
    last = rows[-1] if rows and not after_run else None
    if last is not None and (last.state, last.reason) == (state, reason):
        rows[-1] = Planned(
            due=due, covers_from=last.covers_from, covers=last.covers + 1, state=state, not_before=due, reason=reason
        )
    else:
        rows.append(Planned(due=due, covers_from=due, state=state, not_before=due, reason=reason))


def _pace(job: ScheduledJob) -> timedelta:
    return job.catch_up.pace if isinstance(job.catch_up, RunAll) else timedelta(0)
