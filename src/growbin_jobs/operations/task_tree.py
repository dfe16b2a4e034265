"""The tasks of an analysis, or those that follow from one task, as a tree: who sent what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from growbin_jobs.engine.central.tasks import Task, Tasks
from growbin_jobs.engine.delivery.codec import follow_up_id

#: A first message is created about when its analysis is accepted; one that was sent without ``submit_analysis`` makes
#: the analysis only when it runs. The longer time is looked through when the shorter one has nothing.
WINDOWS = (timedelta(minutes=1), timedelta(days=1))

#: Follow-ups of one task to one actor that are looked for.
MOST_FOLLOW_UPS = 10

#: First messages of one analysis that are shown; deeper trees than this are cut.
MOST_ROOTS, DEEPEST = 20, 20


@dataclass(frozen=True, slots=True)
class TaskNode:
    """A task as the central database knows it, and the tasks that it has sent."""

    task: Task
    follow_ups: list[TaskNode]


def of_task(task_id: str, tasks: Tasks, *, actors: Sequence[str]) -> TaskNode | None:
    """Return a task and all that follows from it, or None where the central database does not know it.

    Follow-ups have ids that are computed from their parent's, so each level is one look-up by key.

    Parameters:
      actors: Names of the actors to which follow-ups may be sent.

    Raises:
      Deferred: The central database is away.
    """
    task = tasks.get(task_id)
    return _trees([task], tasks, actors, DEEPEST)[0] if task else None


def of_analysis(
    analysis_id: str, created_at: datetime, tasks: Tasks, *, first: str, actors: Sequence[str]
) -> list[TaskNode]:
    """Return the tasks of an analysis: one tree for each first message, oldest first.

    Parameters:
      created_at: Of the analysis.
      first: Name of the actor of stage 1.
      actors: As for :func:`of_task`.

    Raises:
      Deferred: The central database is away.
    """
    for window in WINDOWS:
        found = tasks.mentioning(
            json.dumps(analysis_id),
            task_name=first,
            since=created_at - window,
            until=created_at + WINDOWS[0],
            limit=MOST_ROOTS,
        )
        roots = [task for task in found if _names(task.payload, analysis_id)]
        if roots:
            return _trees(roots, tasks, actors, DEEPEST)
    return []


def _names(message: Any, analysis_id: str) -> bool:
    """Return True for a message with the id as an argument: a database may not tell capitals from small letters."""
    if not isinstance(message, dict):
        return False
    args, kwargs = message.get("args"), message.get("kwargs")
    values = [*(args if isinstance(args, list) else ()), *(kwargs.values() if isinstance(kwargs, dict) else ())]
    return analysis_id in values


def _trees(parents: Sequence[Task], tasks: Tasks, actors: Sequence[str], depth: int) -> list[TaskNode]:
    """Return each task with its follow-ups: the whole level is looked up at once."""
    parent_of = {
        follow_up_id(parent.task_id, actor, ordinal): parent.task_id
        for parent in parents
        for actor in actors
        for ordinal in range(MOST_FOLLOW_UPS)
    }
    known = _by_age(tasks.get_many(parent_of)) if parents and depth else []
    below = _trees(known, tasks, actors, depth - 1) if known else []
    return [
        TaskNode(parent, [node for node in below if parent_of[node.task.task_id] == parent.task_id])
        for parent in parents
    ]


def _by_age(tasks: Iterable[Task]) -> list[Task]:
    return sorted(tasks, key=lambda task: (task.created_at, task.task_id))
