"""``/api/v2/schedule``: periodic jobs and the ledger of their due times."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.reading import schedule
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.scheduler.overview import JobView, Outcome

router = APIRouter(tags=["schedule"], dependencies=[require(Action.SEE_SCHEDULE)])


@router.get("/schedule", response_model=list[JobView])
def jobs(request: Request) -> Response:
    """Return all periodic jobs: when each is due next, and what became of it last."""
    return StrictAnswer(schedule.jobs_of(request.app.state.services))


@router.get("/schedule/ledger", response_model=list[Outcome])
def ledger(
    request: Request,
    job: Annotated[str | None, Query(max_length=255)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Return what became of the latest due times, the newest first."""
    return StrictAnswer(schedule.ledger_of(request.app.state.services, _storable(job), limit))


def _storable(job: str | None) -> str | None:
    return None if job is None else job.replace("\0", "\ufffd")
