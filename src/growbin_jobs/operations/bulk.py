"""Bulk jobs for people: start a previewed set (``bulk_preview``), stop it, let it go on, take it back, look back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from growbin_jobs.engine.central.bulk_jobs import GRACE, BulkJob, BulkJobs, BulkState
from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import Conflict

#: More targets than this: who starts the job types their number.
TYPED_ABOVE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkView:
    """A job as a person sees it. Times are seconds since 1970, UTC.

    Attributes:
      preview: Before it begins: ``count``, ``able``, ``reasons``, ``actors``, ``refused`` (by problem) and
        ``expected`` (see :class:`growbin_jobs.operations.bulk_cost.Expected`).
      progress: From 0 to 1.
      undo_seconds: For how long it can still be taken back; 0: no more.
      minutes_left: At its pace, or what was expected; None: not known.
    """

    id: str
    name: str
    verb: str
    state: str
    by: str
    reason: str
    filter: dict[str, Any]
    preview: dict[str, Any]
    pace: float | None
    created_at: float
    begins_at: float | None
    ended_at: float | None
    stopped_by: str | None
    total: int
    done: int
    refused: int
    waiting: int
    progress: float
    undo_seconds: float
    minutes_left: float | None
    problems: dict[str, str] = field(default_factory=dict)


def start(
    database: Database,
    job_id: str,
    *,
    by: str,
    name: str = "",
    pace: float | None = None,
    reason: str = "",
    typed: int | None = None,
    grace: float = GRACE,
) -> BulkView:
    """Let a frozen set begin in 30 seconds; until then :func:`undo` takes it back.

    Parameters:
      name: For the history; empty: made of what it does.
      pace: Targets a minute at most; None: as fast as it goes.
      typed: The number of targets, which who starts more than 100 must know.

    Raises:
      NotFound: There is no such job.
      Conflict: It was started before, the number is wrong, or the pace is none.
      Deferred: The database is away.
    """
    jobs = BulkJobs(database)
    job = jobs.get(job_id)
    if pace is not None and not 0 < pace <= 1_000_000:
        raise Conflict("The pace is a number of targets a minute, more than 0.")
    if job.state is BulkState.DRAFT and job.total > TYPED_ABOVE and typed != job.total:
        raise Conflict(f"These are {job.total}. Type that number, so that it is sure that you mean all of them.")
    given = (name.strip() or f"{job.verb} {job.filter.get('title') or job.filter.get('actor') or job.total}")[:200]
    return view_of(
        jobs.start(job_id, name=given, pace=pace, by=by, reason=reason[:500], grace=grace), jobs.now()
    )  # fmt: skip


def undo(database: Database, job_id: str) -> BulkView:
    """Take a job back that has not begun.

    Raises:
      NotFound, Conflict: There is none, or it is too late.
      Deferred: The database is away.
    """
    return _changed(database, lambda jobs: jobs.undo(job_id))


def stop(database: Database, job_id: str, *, by: str) -> BulkView:
    """Let a running job rest.

    Raises:
      NotFound, Conflict: There is none, or it does not run.
      Deferred: The database is away.
    """
    return _changed(database, lambda jobs: jobs.stop(job_id, by=by))


def resume(database: Database, job_id: str) -> BulkView:
    """Let a stopped job go on where it was.

    Raises:
      NotFound, Conflict: There is none, or it is not stopped.
      Deferred: The database is away.
    """
    return _changed(database, lambda jobs: jobs.resume(job_id))


def history(database: Database, *, limit: int = 50) -> list[BulkView]:
    """Return the jobs that were started, the newest first.

    Raises:
      Deferred: The database is away.
    """
    jobs = BulkJobs(database)
    now = jobs.now()
    return [view_of(job, now) for job in jobs.latest(limit=limit)]


def get(database: Database, job_id: str) -> BulkView:
    """Return one with the targets that could not be done.

    Raises:
      NotFound: There is none.
      Deferred: The database is away.
    """
    jobs = BulkJobs(database)
    job = jobs.get(job_id)
    return view_of(job, jobs.now(), {each.target: each.problem for each in jobs.refused(job_id)})


def view_of(job: BulkJob, now: float, problems: Mapping[str, str] | None = None) -> BulkView:
    """Return a job as a person sees it.

    Parameters:
      now: The database's clock.
    """
    left = job.begins_at - now if job.state is BulkState.WAITING and job.begins_at is not None else 0.0
    able = int(job.preview.get("able", job.total))  # the others never had their turn
    had = able - job.waiting
    over = job.state in (BulkState.ENDED, BulkState.UNDONE)
    minutes = job.waiting / job.pace if job.pace else job.preview.get("expected", {}).get("minutes")
    return BulkView(
        id=job.id, name=job.name, verb=job.verb, state=job.state.value, by=job.by, reason=job.reason,
        filter=job.filter, preview=job.preview, pace=job.pace, created_at=job.created_at, begins_at=job.begins_at,
        ended_at=job.ended_at, stopped_by=job.stopped_by, total=job.total, done=job.done, refused=job.refused,
        waiting=job.waiting, progress=had / able if able else 1.0, undo_seconds=round(max(0.0, left), 1),
        minutes_left=0.0 if over else minutes, problems=dict(problems or {}),
    )  # fmt: skip


def _changed(database: Database, change: Callable[[BulkJobs], BulkJob]) -> BulkView:
    jobs = BulkJobs(database)
    return view_of(change(jobs), jobs.now())
