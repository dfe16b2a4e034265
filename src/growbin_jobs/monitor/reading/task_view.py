"""One task as pages and ``/api/v2`` show it: its message only to those who may see it, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.search.task_detail import Preview, TaskDetails
from growbin_jobs.errors import NotFound
from growbin_jobs.monitor.services import Services
from growbin_jobs.operations.waiting import Waiting, why_task_waits


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """A task.

    Attributes:
      waiting: Why it has not ended; None: it has.
      message, result: Their beginning; None where there is none, or the asker may not see it.
      hidden: The asker may not see message and result.
    """

    task: TaskLine
    waiting: Waiting | None
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
    found = TaskDetails(services.database).get(task_id)
    if found is None:
        raise NotFound("The central database knows no task of this id. It may be of the last seconds, or pruned.")
    return TaskView(
        task=found.task,
        waiting=why_task_waits(found.task, services.database, now=datetime.now(UTC)),
        message=found.payload if messages else None,
        result=found.result if messages else None,
        error=found.error,
        hidden=not messages,
    )
