"""``/api/v2/bulk``: one thing done to many. A draft freezes the set; it is started, stopped, resumed, taken back."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.monitor.acting import bulk as acts
from growbin_jobs.monitor.api.problems import problem
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.api.v2.why import PLAIN
from growbin_jobs.monitor.reading.task_query import TaskQuery
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations import bulk
from growbin_jobs.operations.bulk import BulkView
from growbin_jobs.operations.bulk_preview import Choice

router = APIRouter(tags=["bulk"])

_Text = Annotated[str | None, Field(max_length=1000)]


class Draft(BaseModel):
    """What is to be done to what: dead letters by their filters or by an error group, or tasks by a search.

    Attributes:
      group, hours: An error group, and the hours in which it was found.
      q, state, fresh: For ``run_again``: a search in the language of ``/tasks``; whether saved answers are not used.
    """

    model_config = ConfigDict(extra="forbid")
    verb: Literal["retry", "discard", "run_again"]
    queue: _Text = None
    actor: _Text = None
    code: _Text = None
    node: _Text = None
    since: AwareDatetime | None = None
    before: AwareDatetime | None = None
    group: Annotated[str | None, Field(max_length=64)] = None
    hours: Annotated[int, Field(ge=1, le=744)] = 24
    q: Annotated[str, Field(max_length=2000)] = ""
    state: _Text = None
    fresh: bool = False


class Begin(BaseModel):
    """How a draft begins.

    Attributes:
      pace: Targets a minute at most.
      typed: The number of targets, where they are more than 100.
    """

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=200)] = ""
    pace: Annotated[float | None, Field(gt=0, le=1_000_000)] = None
    reason: Annotated[str, Field(max_length=500)] = ""
    typed: Annotated[int | None, Field(ge=0, le=1_000_000)] = None


@router.get("/bulk", response_model=list[BulkView], dependencies=[require(Action.SEE_STATE)])
def jobs(request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Response:
    """Return the jobs that were started, the newest first."""
    return StrictAnswer(bulk.history(request.app.state.services.database, limit=limit))


@router.get("/bulk/{job_id}", response_model=BulkView, dependencies=[require(Action.SEE_STATE)])
def job(request: Request, job_id: str) -> Response:
    """Return one job with its preview, its progress, and what could not be done."""
    return StrictAnswer(bulk.get(request.app.state.services.database, job_id))


@router.post("/bulk", response_model=BulkView, status_code=201, dependencies=[require(Action.BULK)])
def draft(request: Request, wanted: Draft) -> Response:
    """Freeze a set and preview what would be done; nothing happens before it is started."""
    try:
        return StrictAnswer(_drafted(request, wanted), 201)
    except SearchError as error:
        return problem(400, str(error), type_="growbin:search", place=error.place)


@router.post("/bulk/{job_id}/start", response_model=BulkView, dependencies=[require(Action.BULK)])
def start(request: Request, job_id: str, how: Annotated[Begin, Body()] = Begin()) -> Response:  # noqa: B008
    """Let a frozen set begin in 30 seconds."""
    begun = acts.start(request, job_id, name=how.name, pace=how.pace, reason=how.reason, typed=how.typed)
    return StrictAnswer(begun)


@router.post("/bulk/{job_id}/undo", response_model=BulkView, dependencies=[require(Action.BULK), PLAIN])
def undo(request: Request, job_id: str) -> Response:
    """Take a job back that has not begun."""
    return StrictAnswer(acts.undo(request, job_id))


@router.post("/bulk/{job_id}/stop", response_model=BulkView, dependencies=[require(Action.BULK), PLAIN])
def stop(request: Request, job_id: str) -> Response:
    """Let a running job rest."""
    return StrictAnswer(acts.stop(request, job_id))


@router.post("/bulk/{job_id}/resume", response_model=BulkView, dependencies=[require(Action.BULK), PLAIN])
def resume(request: Request, job_id: str) -> Response:
    """Let a stopped job go on where it was."""
    return StrictAnswer(acts.resume(request, job_id))


def _drafted(request: Request, wanted: Draft) -> BulkView:
    if wanted.verb == "run_again":
        query = TaskQuery(q=wanted.q, state=wanted.state, actor=wanted.actor, queue=wanted.queue, node=wanted.node)
        return acts.preview_tasks(request, query, fresh=wanted.fresh)
    if wanted.group:
        return acts.preview_group(request, wanted.verb, wanted.group, wanted.hours)
    choice = Choice(
        queue=wanted.queue, actor=wanted.actor, code=wanted.code, node=wanted.node, since=wanted.since,
        before=wanted.before,
    )  # fmt: skip
    return acts.preview(request, wanted.verb, choice)
