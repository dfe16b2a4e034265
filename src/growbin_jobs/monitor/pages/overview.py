"""The first page: how the work goes now, or went at any past minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.monitor.pages import charts
from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.reading.schedule import firing_of, zone_of
from growbin_jobs.monitor.reading.state import present_workers_of, queues_of
from growbin_jobs.monitor.reading.task_query import moment
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.overview import overview

router = APIRouter(include_in_schema=False)

#: Times that can be chosen, in minutes.
SPANS = (60, 180, 360)


@router.get("/", dependencies=[require(Action.SEE_STATE)])
def page(
    request: Request,
    at: Annotated[str, Query(max_length=40)] = "",
    minutes: Annotated[int, Query(ge=10, le=360)] = 60,
) -> Response:
    """Show throughput, failures, waits and runs, and now also queues and workers."""
    services: Any = request.app.state.services
    until, problem = _until(at, zone_of(services))
    found = overview(services.database, until=until or datetime.now(UTC), span=timedelta(minutes=minutes))
    words = words_for(request)
    now: dict[str, Any] = {"dead": None, "workers": None, "queues": None, "firing": None}
    if until is None:
        workers = present_workers_of(services)
        now = {
            "dead": DeadLetters(services.database).count_open(), "workers": workers,
            "queues": queues_of(services, workers), "firing": firing_of(services) if services.jobs else None,
        }  # fmt: skip
    return render(
        request, "overview.html", found=found, at=at, until=until, problem=problem, minutes=minutes, spans=SPANS,
        throughput=charts.throughput(found.minutes, words), times=charts.times(found.minutes, words),
        depths=charts.depths(found.queues),
        sparkline=charts.sparkline, step=timedelta(minutes=minutes), zone=zone_of(services), **now,
    )  # fmt: skip


def _until(at: str, zone: Any) -> tuple[datetime | None, bool]:
    """Return the minute that was asked for, None: now; and whether what was asked for is no time."""
    if not at.strip():
        return None, False
    try:
        found = moment(at.strip(), zone)
    except (ValueError, OverflowError):
        return None, True
    return (found, False) if 1971 <= found.year <= 9000 else (None, True)
