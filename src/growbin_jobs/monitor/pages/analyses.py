"""Analyses: a list, and one with its photo and its line of time."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.errors import Permanent
from growbin_jobs.models.analysis_lists import AnalysisLists, AnalysisPage
from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.reading.analysis_view import analysis_view
from growbin_jobs.monitor.reading.photos import photo_of
from growbin_jobs.monitor.reading.task_query import may_see_people
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.readable_json import strict
from growbin_jobs.reasons import REASONS, reason
from growbin_jobs.states import AnalysisStatus

router = APIRouter(include_in_schema=False)


@router.get("/analyses", dependencies=[require(Action.SEE_ANALYSES)])
def page(
    request: Request,
    status: Annotated[str, Query(max_length=20)] = "",
    user: Annotated[str, Query(max_length=255)] = "",
    cursor: Annotated[str | None, Query(max_length=6000)] = None,
) -> Response:
    """Show analyses, the newest first."""
    people, problem = may_see_people(request), None
    lists, found = AnalysisLists(request.app.state.services.database), AnalysisPage([], None)
    chosen = AnalysisStatus(status) if status in list(AnalysisStatus) else None
    try:
        found = lists.page(status=chosen, user_id=user if user and people else None, people=people, cursor=cursor)
    except (SearchError, Permanent) as error:
        problem = str(error)
    return render(
        request, "analyses.html", page=found, chosen=chosen, user=user, people=people, problem=problem,
        statuses=[each.value for each in AnalysisStatus],
    )  # fmt: skip


@router.get("/analyses/{analysis_id:path}", dependencies=[require(Action.SEE_ANALYSES)])
def analysis(request: Request, analysis_id: str) -> Response:
    """Show one analysis; that a person's data was seen is written down."""
    view = analysis_view(request, analysis_id)
    its, language = view.timeline.analysis, words_for(request).language
    why = its.error
    if its.error_code in REASONS:
        why = reason(its.error_code, language, its.error_params or {})
    rules = strict(its.rules) if its.rules is not None else None
    return render(request, "analysis.html", view=view, line=view.timeline, its=its, why=why, rules=rules)


@router.get("/photos/{size}/{analysis_id:path}", dependencies=[require(Action.SEE_PHOTOS)])
def photo(
    request: Request,
    size: Literal["original", "thumbnail"],
    analysis_id: str,
    reason: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Return the photo of an analysis; it is written down who saw whose, and why they wanted it in full."""
    return photo_of(request, analysis_id, size, reason)
