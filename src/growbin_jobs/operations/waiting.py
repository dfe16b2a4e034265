"""Why something waits, as one reason with its numbers; a page makes a sentence of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.limits.usage import BATCH
from growbin_jobs.models.analysis import Analysis
from growbin_jobs.models.batch_waiting import BatchWaiting, InBatch
from growbin_jobs.operations.turn import turn_of
from growbin_jobs.operations.worker_states import Presence, present_workers


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why.

    Attributes:
      reason: A word: ``retry_due``, ``deferred``, ``redelivered``, ``returns`` or ``vanished`` (it is lost, and this
        becomes of it), ``running``, ``nobody_takes``, ``busy``, ``in_queue``, ``limit``, ``limit_stopped``,
        ``breaker``, ``in_batch`` or ``next_batch``; of a batch ``batch_made``, ``batch_sent``, ``batch_reading``,
        ``batch_ending`` or ``batch_problem``.
      values: What belongs into the sentence. Those named ``at`` are seconds since 1970.
    """

    reason: str
    values: dict[str, Any] = field(default_factory=dict)


def why_task_waits(
    task: TaskLine, database: Database, *, now: datetime, embedded: bool, breakers: bool = True
) -> Waiting | None:
    """Return why a task has not ended; None where it has.

    Parameters:
      embedded: The broker is the embedded one.
      breakers: There are some; only Growbin has them.

    Raises:
      Deferred: The database is away.
    """
    if task.status in ("completed", "dead"):
        return None
    if task.status == "running":
        return _why_it_runs(task, Lost(database, embedded=embedded), now)
    if task.due_at is not None and task.due_at > now:
        reason = "deferred" if task.deferrals and not task.error else "retry_due"
        values = {"at": task.due_at.timestamp(), "number": task.retry_count + 1, "error": task.error or ""}
        return Waiting(reason, values)
    if Lost(database, embedded=embedded).vanished(now, task_ids=[task.task_id]):
        return Waiting("vanished", {"queue": task.queue_name})
    taking = [state for state in present_workers(Workers(database), now=now) if task.queue_name in state.group.queues]
    working = [state for state in taking if state.presence is Presence.WORKING]
    if not working:
        return Waiting("nobody_takes", {"queue": task.queue_name})
    known = Breakers(database).all() if breakers else ()
    stopped = next((breaker for breaker, _ in known if breaker.state != "closed"), None)
    if stopped is not None:
        return Waiting("breaker", {"name": stopped.name, "cause": stopped.reason, "at": stopped.changed_at})
    if not any(state.free for state in working):
        return Waiting("busy", {"queue": task.queue_name, "threads": sum(state.group.threads for state in working)})
    return Waiting("in_queue", {"queue": task.queue_name})


def why_analysis_waits(analysis: Analysis, database: Database) -> Waiting | None:
    """Return what an analysis waits for where that is a batch or a limit of paid calls; None: it is none.

    Raises:
      Deferred: The database is away.
    """
    if analysis.tier == BATCH:
        asked = [each for each in BatchWaiting(database).of_analysis(analysis.id) if each.back_at is None]
        if asked:
            return why_in_batch(asked[0])
    turn = turn_of(analysis, database)
    if turn is None:
        return None
    if turn.starts_at is None:
        return Waiting("limit_stopped", {"limit": turn.limit, "place": turn.place, "cause": turn.stopped_by})
    return Waiting("limit", {"limit": turn.limit, "place": turn.place, "at": turn.starts_at})


def why_in_batch(asked: InBatch) -> Waiting | None:
    """Return what waits for a question that is asked in a batch; None: its message was sent again."""
    if asked.back_at is not None:
        return None
    if asked.batch is None:
        return Waiting("next_batch", {"at": asked.put_at})
    if asked.done_by is None:
        return Waiting("batch_made", {"batch": asked.batch})
    return Waiting("in_batch", {"batch": asked.batch, "at": asked.done_by})


def _why_it_runs(task: TaskLine, lost: Lost, now: datetime) -> Waiting:
    for found in lost.tasks(now, task_ids=[task.task_id]):
        seen = found.last_seen
        return Waiting(found.fate.value, {"node": task.node, "at": None if seen is None else seen.timestamp()})
    began = task.started_at or task.created_at
    return Waiting("running", {"node": task.node, "seconds": max(0.0, (now - began).total_seconds())})
