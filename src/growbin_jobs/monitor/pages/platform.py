"""Health of agents and models; statistics, weekly reports and archives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.reading import platform
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.platform.measures.periods import Kind

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_PLATFORM)])


@router.get("/health")
def health(request: Request, target: Annotated[str, Query(max_length=255)] = "") -> Response:
    """Show the state of agents and models, and its changes."""
    services: Any = request.app.state.services
    wanted = target if target.isprintable() and target else None
    return render(
        request, "health.html", states=platform.health_of(services), target=target, now=datetime.now(UTC),
        changes=platform.changes_of(services, wanted, 50),
    )  # fmt: skip


@router.get("/statistics")
def statistics(request: Request, kind: Kind = "daily") -> Response:
    """Show statistics, weekly reports and archives."""
    services: Any = request.app.state.services
    return render(
        request, "statistics.html", kind=kind, kinds=("daily", "weekly", "monthly"),
        rows=platform.statistics_of(services, kind, 31), reports=list(platform.reports_of(services))[:12],
        archives=platform.archives_of(services),
    )  # fmt: skip
