"""``/api/v2``: queues, workers, the overview, error groups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime
from starlette.responses import Response

from growbin_jobs.engine.central.search.task_search import Count, TaskSearch
from growbin_jobs.engine.control.history import ControlEvent, history
from growbin_jobs.monitor.api.problems import problem
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.reading.state import present_workers_of, queues_of, workers_of
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.error_affected import Affected, affected_by
from growbin_jobs.operations.error_groups import ErrorGroups, error_groups, tasks_of_group
from growbin_jobs.operations.overview import Overview, overview, state_counts
from growbin_jobs.operations.queue_states import QueueStates
from growbin_jobs.operations.worker_states import WorkerStates

router = APIRouter(tags=["state"], dependencies=[require(Action.SEE_STATE)])

#: Longest time whose errors are grouped.
MOST_DAYS = 31


@router.get("/overview", response_model=Overview)
def hour(
    request: Request,
    at: Annotated[AwareDatetime | None, Query(description="The end of the time; default: now.")] = None,
    minutes: Annotated[int, Query(ge=1, le=360)] = 60,
) -> Response:
    """Return what ended in the time before a moment: by the minute, and by the actor."""
    until = at or datetime.now(UTC)
    if not _has_a_calendar(until):
        return problem(400, "at lies outside the calendar.")
    return StrictAnswer(overview(request.app.state.services.database, until=until, span=timedelta(minutes=minutes)))


@router.get("/task-counts", response_model=dict[str, Count])
def counts(request: Request) -> Response:
    """Return how many tasks are in each state, each counted up to a cap."""
    return StrictAnswer(state_counts(TaskSearch(request.app.state.services.database)))


@router.get("/queues", response_model=QueueStates)
def queues(request: Request) -> Response:
    """Return all queues: what they hold and who takes from them. Null means that nobody can tell, not 0."""
    services: Any = request.app.state.services
    return StrictAnswer(queues_of(services, present_workers_of(services)))


@router.get("/pauses", response_model=list[ControlEvent])
def pauses(
    request: Request,
    name: Annotated[str | None, Query(max_length=500, description="Only of this queue or actor.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Return who has paused and resumed which queue or actor, the newest first."""
    return StrictAnswer(history(request.app.state.services.database, name=name, limit=limit))


@router.get("/workers", response_model=WorkerStates)
def workers(request: Request) -> Response:
    """Return all worker groups: those that are there, and those that are gone with what they left behind."""
    return StrictAnswer(workers_of(request.app.state.services))


@router.get("/error-groups", response_model=ErrorGroups)
def errors(
    request: Request,
    hours: Annotated[float, Query(gt=0, le=24 * MOST_DAYS, description="Back from now.")] = 24,
) -> Response:
    """Return what failed, grouped by cause: those with most failures first."""
    now = datetime.now(UTC)
    return StrictAnswer(
        error_groups(request.app.state.services.database, since=now - timedelta(hours=hours), until=now)
    )


@router.get("/error-groups/{key}/affected", response_model=Affected, dependencies=[require(Action.SEE_ANALYSES)])
def affected(
    request: Request,
    key: Annotated[str, Path(max_length=64, description="Of the group.")],
    hours: Annotated[float, Query(gt=0, le=24 * MOST_DAYS, description="Back from now.")] = 24,
) -> Response:
    """Return how many analyses and users a group of errors has hit."""
    now = datetime.now(UTC)
    database = request.app.state.services.database
    tasks = tasks_of_group(database, key, since=now - timedelta(hours=hours), until=now)
    return StrictAnswer(affected_by(database, tasks))


def _has_a_calendar(moment: datetime) -> bool:
    return 1971 <= moment.year <= 9000
