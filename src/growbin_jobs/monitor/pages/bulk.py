"""Bulk jobs: a list with their progress, and one with its preview, from draft to end."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.errors import Conflict, NotFound
from growbin_jobs.monitor.acting import bulk as acts
from growbin_jobs.monitor.acting.sentences import said_in
from growbin_jobs.monitor.pages.acting import Back, Id, Reason, acted, number_of
from growbin_jobs.monitor.pages.links import link
from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.pages.said import back_to
from growbin_jobs.monitor.reading.task_query import TaskQuery
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.monitor.security.refusals import BadInput
from growbin_jobs.operations import bulk
from growbin_jobs.operations.bulk import TYPED_ABOVE, BulkView
from growbin_jobs.operations.bulk_preview import Choice

router = APIRouter(include_in_schema=False)

_Text = Annotated[str, Form(max_length=2000)]


@router.get("/bulk", dependencies=[require(Action.SEE_STATE)])
def page(request: Request) -> Response:
    """Show the jobs that were started."""
    return render(request, "bulk.html", jobs=bulk.history(request.app.state.services.database), moment=_moment)


@router.get("/bulk/{job_id}", dependencies=[require(Action.SEE_STATE)])
def job(request: Request, job_id: str) -> Response:
    """Show one job."""
    found = bulk.get(request.app.state.services.database, job_id)
    said = partial(said_in, words_for(request).language)
    return render(request, "bulk_job.html", job=found, moment=_moment, typed_above=TYPED_ABOVE, in_words=said)


@router.post("/act/bulk/preview", dependencies=[require(Action.BULK)])
def preview(
    request: Request,
    verb: Annotated[Literal["retry", "discard", "run_again"], Form()],
    back: Back = "/dead-letters",
    queue: _Text = "",
    actor: _Text = "",
    code: _Text = "",
    node: _Text = "",
    group: Annotated[str, Form(max_length=64)] = "",
    hours: Annotated[int, Form(ge=1, le=744)] = 24,
    q: _Text = "",
    state: _Text = "",
    since: _Text = "",
    until: _Text = "",
    fresh: Annotated[bool, Form()] = False,
) -> Response:
    """Freeze what fits and lead to its preview."""
    try:
        if verb == "run_again":
            query = TaskQuery(
                q=q, state=state or None, actor=actor or None, queue=queue or None, node=node or None,
                since=since or None, until=until or None,
            )  # fmt: skip
            found = acts.preview_tasks(request, query, fresh=fresh)
        elif group:
            found = acts.preview_group(request, verb, group, hours)
        else:
            choice = Choice(queue=queue or None, actor=actor or None, code=code or None, node=node or None)
            found = acts.preview(request, verb, choice)
    except (Conflict, SearchError) as error:
        return back_to(request, back, "act.said.refused", bad=True, why=error)
    return RedirectResponse(link(request, "/bulk", found.id), 303)


@router.post("/act/bulk/start", dependencies=[require(Action.BULK)])
def start(
    request: Request,
    job: Id,
    name: Annotated[str, Form(max_length=200)] = "",
    pace: Annotated[str, Form(max_length=20)] = "",
    typed: Annotated[str, Form(max_length=20)] = "",
    reason: Reason = "",
) -> Response:
    """Let a frozen set begin in 30 seconds."""

    def act() -> BulkView:
        number = typed.replace(",", "").strip()
        if (number and not number.isascii()) or (number and not number.isdigit()):
            raise BadInput("That is no number.")
        given = int(number) if number else None
        return acts.start(request, job, name=name, pace=number_of(pace), reason=reason, typed=given)

    return _acted(request, job, "act.said.bulk_started", act)


@router.post("/act/bulk/undo", dependencies=[require(Action.BULK)])
def undo(request: Request, job: Id) -> Response:
    """Take a job back that has not begun."""
    return _acted(request, job, "act.said.bulk_undone", lambda: acts.undo(request, job))


@router.post("/act/bulk/stop", dependencies=[require(Action.BULK)])
def stop(request: Request, job: Id) -> Response:
    """Let a running job rest."""
    return _acted(request, job, "act.said.bulk_stopped", lambda: acts.stop(request, job))


@router.post("/act/bulk/resume", dependencies=[require(Action.BULK)])
def resume(request: Request, job: Id) -> Response:
    """Let a stopped job go on."""
    return _acted(request, job, "act.said.bulk_resumed", lambda: acts.resume(request, job))


def _acted(request: Request, job_id: str, word: str, act: Any) -> Response:
    try:
        bulk.get(request.app.state.services.database, job_id)
    except NotFound as error:
        return back_to(request, "/bulk", "act.said.refused", bad=True, why=error)
    return acted(request, f"/bulk/{job_id}", word, act)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
