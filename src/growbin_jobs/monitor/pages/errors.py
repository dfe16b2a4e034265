"""Errors: failures grouped by their cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.monitor.pages import charts
from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.error_affected import affected_by
from growbin_jobs.operations.error_groups import error_groups, error_groups_with_tasks

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])

#: Groups that the page shows.
MOST = 25

#: Times that can be chosen, in hours.
HOURS = (1, 6, 24, 72, 168)


@router.get("/errors")
def page(
    request: Request,
    hours: Annotated[int, Query(ge=1, le=744)] = 24,
    only: str = "",
    affected: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Show the groups, those with most failures first.

    Parameters:
      only: ``new``: those that the newest version brought.
      affected: Key of a group of which is said whom it has hit.
    """
    services: Any = request.app.state.services
    now = datetime.now(UTC)
    since = now - timedelta(hours=hours)
    wanted: dict[str, Any] = {"since": since, "until": now, "most": MOST, "only_new": only == "new"}
    hit = None
    if affected and services.growbin:
        found, tasks = error_groups_with_tasks(services.database, affected, **wanted)
        hit = affected_by(services.database, tasks)
    else:
        found = error_groups(services.database, **wanted)
    return render(
        request, "errors.html", found=found, hours=hours, choices=HOURS, only=only, since=since,
        sparkline=charts.sparkline, affected=affected, most=MOST, hit=hit,
    )  # fmt: skip
