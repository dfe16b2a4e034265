"""Workers and queues."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.reading.state import queues_of, workers_of
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])


@router.get("/workers")
def workers(request: Request) -> Response:
    """Show who works; those that are gone are folded."""
    found = workers_of(request.app.state.services)
    return render(request, "workers.html", found=found, now=datetime.now(UTC))


@router.get("/queues")
def queues(request: Request) -> Response:
    """Show what each queue holds and who takes from it."""
    services: Any = request.app.state.services
    return render(request, "queues.html", found=queues_of(services, workers_of(services)))
