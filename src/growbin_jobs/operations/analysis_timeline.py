"""An analysis as a line of time: each stage with its wait, its run, its attempts, its requests, tokens and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.tasks import Task, Tasks
from growbin_jobs.limits.requests_of_analyses import RequestOfAnalysis, requests_of_analysis
from growbin_jobs.models.analysis import Analyses, Analysis
from growbin_jobs.names import UPLOAD_IMAGE
from growbin_jobs.operations.task_tree import TaskNode, of_analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One task of an analysis. Money in micro-dollars, times in seconds.

    Attributes:
      wait: From its creation to its last start; None before that.
      run: Of its last run.
      attempts: Runs so far.
      requests: To model servers.
      cost: Of those whose price is known.
      begins, width: Where it lies on the whole line, from 0 to 1; of that, ``waits`` is the wait.
    """

    task_id: str
    actor: str
    queue: str
    state: str
    node: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    wait: float | None
    run: float | None
    attempts: int
    deferrals: int
    error: str | None
    requests: int
    tokens_in: int
    tokens_out: int
    cost: int
    models: list[str]
    depth: int
    begins: float
    waits: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All of an analysis.

    Attributes:
      total: Seconds from its beginning to its end, or until now.
      requests: All requests to model servers, in order.
    """

    analysis: Analysis
    stages: list[Stage]
    total: float
    cost: int
    tokens_in: int
    tokens_out: int
    requests: list[RequestOfAnalysis]


def timeline(analysis_id: str, database: Database, *, actors: Sequence[str], now: datetime) -> Timeline | None:
    """Return an analysis with its stages, or None where it is not known.

    Parameters:
      analysis_id: Which.
      database: The central one.
      actors: Names of the actors to which follow-ups may be sent.
      now: Aware; the end of what has not ended.

    Raises:
      Deferred: The database is away.
    """
    analysis = Analyses(database).get(analysis_id)
    if analysis is None:
        return None
    trees = of_analysis(analysis_id, analysis.created_at, Tasks(database), first=UPLOAD_IMAGE.actor, actors=actors)
    tasks = list(_flat(trees, 0))
    requests = requests_of_analysis(database, analysis_id)
    begin = min([analysis.created_at, *(task.created_at for task, _ in tasks)])
    ends = [task.completed_at or now for task, _ in tasks]
    end = max([analysis.completed_at or analysis.updated_at, *ends])
    total = max((end - begin).total_seconds(), 0.001)
    return Timeline(
        analysis=analysis,
        stages=[_stage(task, depth, requests, begin, total, now) for task, depth in tasks],
        total=total,
        cost=sum(request.cost or 0 for request in requests),
        tokens_in=sum(request.tokens_in or 0 for request in requests),
        tokens_out=sum(request.tokens_out or 0 for request in requests),
        requests=requests,
    )


def _flat(trees: Sequence[TaskNode], depth: int) -> Iterator[tuple[Task, int]]:
    for node in trees:
        yield node.task, depth
        yield from _flat(node.follow_ups, depth + 1)


def _stage(
    task: Task, depth: int, requests: Sequence[RequestOfAnalysis], begin: datetime, total: float, now: datetime
) -> Stage:
    its = [request for request in requests if request.message_id == task.task_id]
    started, ended = task.started_at, task.completed_at if task.status != "running" else None
    wait = max(0.0, (started - task.created_at).total_seconds()) if started else None
    run = max(0.0, (ended - started).total_seconds()) if started and ended else None
    first = max(0.0, (task.created_at - begin).total_seconds())
    whole = max(0.0, ((ended or now) - task.created_at).total_seconds())
    return Stage(
        task_id=task.task_id,
        actor=task.task_name,
        queue=task.queue_name,
        state=task.status.value,
        node=task.node,
        created_at=task.created_at,
        started_at=started,
        completed_at=ended,
        wait=wait,
        run=run,
        attempts=task.retry_count + task.crashes + (1 if started else 0),
        deferrals=task.deferrals,
        error=task.error[:500] if task.error else None,
        requests=len(its),
        tokens_in=sum(request.tokens_in or 0 for request in its),
        tokens_out=sum(request.tokens_out or 0 for request in its),
        cost=sum(request.cost or 0 for request in its),
        models=sorted({request.model for request in its}),
        depth=depth,
        begins=min(1.0, first / total),
        waits=min(1.0, (wait if wait is not None else whole) / total),
        width=min(1.0, whole / total),
    )
