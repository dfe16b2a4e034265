"""``/api/v2``: health, statistics, weekly reports, archives."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.models.weekly_report import WeeklyReport
from growbin_jobs.monitor.api.problems import problem
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.reading import platform
from growbin_jobs.monitor.reading.platform import ArchiveAnswer, HealthAnswer, HealthChange, StatisticAnswer
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.platform.measures.periods import Kind

router = APIRouter(tags=["platform"], dependencies=[require(Action.SEE_PLATFORM)])

_Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/health", response_model=list[HealthAnswer])
def health(request: Request) -> Response:
    """Return the state of each agent and model."""
    return StrictAnswer(platform.health_of(request.app.state.services))


@router.get("/health/changes", response_model=list[HealthChange])
def changes(
    request: Request, target: Annotated[str | None, Query(max_length=255)] = None, limit: _Limit = 50
) -> Response:
    """Return changes of health, the newest first."""
    if target is not None and not (target and target.isprintable()):
        return problem(400, "A target is written agent:ID or model:ID.")
    return StrictAnswer(platform.changes_of(request.app.state.services, target, limit))


@router.get("/statistics", response_model=list[StatisticAnswer])
def statistics(request: Request, kind: Kind = "daily", limit: _Limit = 30) -> Response:
    """Return statistics of days, weeks or months, the newest first."""
    return StrictAnswer(platform.statistics_of(request.app.state.services, kind, limit))


@router.get("/reports", response_model=list[WeeklyReport])
def reports(request: Request) -> Response:
    """Return the weekly reports of analyses, the newest first."""
    return StrictAnswer(list(platform.reports_of(request.app.state.services)))


@router.get("/archives", response_model=list[ArchiveAnswer])
def archives(request: Request) -> Response:
    """Return what left the database, and when that was last proven to come back."""
    return StrictAnswer(platform.archives_of(request.app.state.services))
