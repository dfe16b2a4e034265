"""Decides which of a job's open due times may be sent now, and which came to no end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from growbin_jobs.scheduler.jobs import Overlap, RunAll, RunLatest, ScheduledJob
from growbin_jobs.scheduler.rows import RunState

_AT_WORK: Final = (RunState.CLAIMED, RunState.SENT, RunState.STARTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A due time that has had no end yet.

    Attributes:
      since: When it came into its state; of one that is claimed, when the claim ends.
      not_before: When it may be sent.
      manual: A person asked for it: nothing holds it back.
    """

    due: datetime
    state: RunState
    since: datetime
    not_before: datetime
    manual: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a due time: ``claimed`` is sent now, ``due`` waits for a reason, others are settled.

    Attributes:
      anew: It is sent under another id: the message of before may have ended, or be lost.
    """

    due: datetime
    state: RunState
    reason: str | None = None
    anew: bool = False


def decide(job: ScheduledJob, runs: Sequence[OpenRun], now: datetime, *, waits_for: str | None) -> list[Step]:
    """Return what changes, in order.

    Parameters:
      job: Whose policies.
      runs: All of its due times without an end, in order of time.
      now: By the database's clock.
      waits_for: Name of the job that must have been done first, while it is not.
    """
    steps: list[Step] = []
    busy: list[OpenRun] = []
    for run in runs:
        given_up = _given_up(job, run, now)
        if given_up is not None:
            steps.append(given_up)
        elif run.state in _AT_WORK:
            busy.append(run)
    waiting = 0
    for run in runs:
        if run.state is RunState.CLAIMED and run.since <= now:
            steps.append(Step(run.due, RunState.CLAIMED))  # its claimer came to no end: the same message once more
        elif _is_lost(job, run, now):
            steps.append(Step(run.due, RunState.CLAIMED, anew=True))
        elif run.state is RunState.DUE and run.not_before <= now:
            step = _of_due(job, run, now, busy=bool(busy) or waiting > 0, first=waiting == 0, waits_for=waits_for)
            steps.append(step)
            if step.state is RunState.CLAIMED:
                busy.append(run)
            waiting += step.state is RunState.DUE
        elif run.state is RunState.DUE:
            waiting += 1
    return steps


def _of_due(job: ScheduledJob, run: OpenRun, now: datetime, *, busy: bool, first: bool, waits_for: str | None) -> Step:
    if run.manual:
        return Step(run.due, RunState.CLAIMED)
    if busy and job.overlap is not Overlap.ALLOW:
        one_may_wait = job.overlap is Overlap.QUEUE and first
        if isinstance(job.catch_up, RunAll) or one_may_wait:
            return Step(run.due, RunState.DUE, "waits for the run before it")
        return Step(run.due, RunState.OVERLAPPED, "an earlier run had not ended")
    if waits_for is not None:
        if now - run.due > job.catch_up.max_age:
            return Step(run.due, RunState.MISSED, f"{waits_for} has not been done")
        return Step(run.due, RunState.DUE, f"waits for {waits_for}")
    return Step(run.due, RunState.CLAIMED)


def _given_up(job: ScheduledJob, run: OpenRun, now: datetime) -> Step | None:
    """Return how a run ends that nobody ends, or None."""
    if run.state not in (RunState.SENT, RunState.STARTED) or now - run.since <= job.max_run:
        return None
    if run.state is RunState.STARTED:
        return Step(run.due, RunState.FAILED, f"it has not ended within {job.max_run}")
    if isinstance(job.catch_up, RunLatest):
        return Step(run.due, RunState.MISSED, f"no worker has begun it within {job.max_run}")
    return None  # it is waited for, and sent anew


def _is_lost(job: ScheduledJob, run: OpenRun, now: datetime) -> bool:
    """May nobody have the message any more? Where a long queue has it, the second one finds the due time done."""
    return run.state is RunState.SENT and isinstance(job.catch_up, RunAll) and now - run.since > job.max_run
