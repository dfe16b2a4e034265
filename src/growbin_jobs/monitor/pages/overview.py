"""The first page: which workers there are."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False)


@router.get("/", dependencies=[require(Action.SEE_STATE)])
def page(request: Request) -> Response:
    """Show the worker groups of all nodes."""
    groups = Workers(request.app.state.services.database).all()
    return render(request, "overview.html", groups=groups, now=datetime.now(UTC))
