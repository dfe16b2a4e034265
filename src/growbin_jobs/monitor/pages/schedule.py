"""The schedule: jobs with their next due time and last outcome, what is to come, and the ledger."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.reading import schedule
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_SCHEDULE)])


@router.get("/schedule")
def page(request: Request, job: Annotated[str, Query(max_length=255)] = "") -> Response:
    """Show jobs, and the ledger of all or of one."""
    services: Any = request.app.state.services
    wanted = job.replace("\0", "\ufffd") or None
    ledger = schedule.ledger_of(services, wanted, 60)
    return render(
        request, "schedule.html", jobs=schedule.jobs_of(services), ledger=ledger, job=job,
        coming=schedule.to_come(services, 6)[:40], zone=schedule.zone_of(services).key,
        firing=schedule.firing_of(services),
    )  # fmt: skip
