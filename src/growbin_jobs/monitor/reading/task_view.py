"""One task as pages and ``/api/v2`` show it: its message only to those who may see it, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from growbin_jobs.engine.central.attempts import Attempts, TaskAttempt
from growbin_jobs.engine.central.dead_letter_rows import CentralDeadLetter
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.search.task_detail import Preview, TaskDetails
from growbin_jobs.errors import NotFound
from growbin_jobs.models.batch_waiting import BatchWaiting, InBatch
from growbin_jobs.monitor.services import Services
from growbin_jobs.operations.lost_tasks import with_lost
from growbin_jobs.operations.waiting import Waiting, why_task_waits

#: Runs of a task that are shown.
MOST_ATTEMPTS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task.

    Attributes:
      waiting: Why it has not ended; None: it has.
      attempts: Its runs that did not complete, the newest of them, oldest first; their numbers say how many there are.
      family: The first task of its chain and all that were sent in it; empty where it is alone.
      in_batch: How its question is asked in a batch of paid calls; None: it is not.
      letters: The dead letters that it has come to, oldest first.
      message, result: Their beginning; None where there is none, or the asker may not see it.
      hidden: The asker may not see message and result.
    """

    task: TaskLine
    waiting: Waiting | None
    attempts: list[TaskAttempt]
    family: list[TaskLine]
    in_batch: InBatch | None
    letters: list[CentralDeadLetter]
    message: Preview | None
    result: Preview | None
    error: Preview | None
    hidden: bool


def task_view(services: Services, task_id: str, *, messages: bool) -> TaskView:
    """Return one task.

    Parameters:
      messages: May the asker see messages and results?

    Raises:
      NotFound: The central database does not know it.
      Deferred: The database is away.
    """
    details = TaskDetails(services.database)
    found = details.get(task_id)
    if found is None:
        raise NotFound("The central database knows no task of this id. It may be of the last seconds, or pruned.")
    [task] = with_lost(services.lost, [found.task])
    family = details.family(task.root_id or task.task_id)
    return TaskView(
        task=task,
        waiting=why_task_waits(
            found.task,
            services.database,
            now=datetime.now(UTC),
            embedded=services.engine.broker_url is None,
            breakers=services.growbin,
        ),
        attempts=Attempts(services.database).of_task(task.task_id, most=MOST_ATTEMPTS),
        family=with_lost(services.lost, family) if len(family) > 1 else [],
        in_batch=BatchWaiting(services.database).of_message(task.task_id) if services.growbin else None,
        letters=DeadLetters(services.database).of_task(task.task_id),
        message=found.payload if messages else None,
        result=found.result if messages else None,
        error=found.error,
        hidden=not messages,
    )
