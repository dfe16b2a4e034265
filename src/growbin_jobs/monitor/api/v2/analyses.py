"""``/api/v2/analyses``: lists, single analyses with their line of time, photos."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.models.analysis_lists import MOST_LINES, AnalysisLine, AnalysisLists, AnalysisPage
from growbin_jobs.monitor.api.problems import problem
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.api.v2.exporting import ROUTE, Form, Reason, exported
from growbin_jobs.monitor.reading.analysis_view import AnalysisView, analysis_view
from growbin_jobs.monitor.reading.photos import photo_of
from growbin_jobs.monitor.reading.task_query import may_see_people
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations import exports
from growbin_jobs.states import AnalysisStatus

router = APIRouter(tags=["analyses"])


@router.get("/analyses", response_model=AnalysisPage, dependencies=[require(Action.SEE_ANALYSES)])
def analyses(
    request: Request,
    status: AnalysisStatus | None = None,
    user: Annotated[str | None, Query(max_length=255, description="Only with the right to see personal data.")] = None,
    cursor: Annotated[str | None, Query(max_length=6000)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Return analyses, the newest first."""
    people = may_see_people(request)
    if user is not None and not people:
        return problem(403, "You may not see personal data, so you cannot ask by user.")
    if user is not None and not (user and user.isprintable()):
        return problem(400, "A user's id has 1 to 255 printable characters.")
    lists = AnalysisLists(request.app.state.services.database)
    try:
        return StrictAnswer(lists.page(status=status, user_id=user, people=people, cursor=cursor, limit=limit))
    except SearchError as error:
        return problem(400, str(error), type_="growbin:search", place=error.place)


@router.get("/export/analyses", **(ROUTE | {"dependencies": [*ROUTE["dependencies"], require(Action.SEE_ANALYSES)]}))
def export(
    request: Request,
    reason: Reason,
    status: AnalysisStatus | None = None,
    user: Annotated[str | None, Query(max_length=255)] = None,
    form: Form = "csv",
) -> Response:
    """Return all analyses that fit as CSV or JSON lines, at most a million, without answers and photos."""
    if user is not None and not (user and user.isprintable()):
        return problem(400, "A user's id has 1 to 255 printable characters.")
    lists = AnalysisLists(request.app.state.services.database)

    def read(cursor: str | None) -> tuple[list[AnalysisLine], str | None]:
        page = lists.page(status=status, user_id=user, people=True, cursor=cursor, limit=MOST_LINES)
        return page.analyses, page.next

    details = {"status": status} if status is not None else {}
    return exported(
        request, "analyses", exports.pages(read), AnalysisLine, form, reason=reason, whose=user or "", details=details
    )


@router.get("/analyses/{analysis_id:path}", response_model=AnalysisView, dependencies=[require(Action.SEE_ANALYSES)])
def analysis(request: Request, analysis_id: str) -> Response:
    """Return one analysis: each stage with wait, run, tokens, cost. Seeing a person's data is logged."""
    return StrictAnswer(analysis_view(request, analysis_id))


@router.get(
    "/photos/{size}/{analysis_id:path}",
    dependencies=[require(Action.SEE_PHOTOS)],
    responses={200: {"content": {"image/jpeg": {}}}},
    response_class=Response,
)
def photo(
    request: Request,
    size: Literal["original", "thumbnail"],
    analysis_id: str,
    reason: Annotated[str | None, Query(max_length=500, description="Needed for the original.")] = None,
) -> Response:
    """Return the photo of an analysis. It is written down who saw whose, and why they wanted it in full."""
    return photo_of(request, analysis_id, size, reason)
