"""Edit and run: the arguments of a task in a form that keeps what was typed when it was refused."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from growbin_jobs.errors import Conflict, NotFound
from growbin_jobs.monitor.acting.sentences import said_in
from growbin_jobs.monitor.acting.tasks import edit_and_run, moment_of
from growbin_jobs.monitor.pages.links import link
from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.pages.said import back_to
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.monitor.security.refusals import BadInput
from growbin_jobs.operations.reruns import arguments_of, links_of
from growbin_jobs.operations.signatures import parse_json, signature_of

router = APIRouter(include_in_schema=False)


@router.get("/edit/{task_id:path}", dependencies=[require(Action.SEE_PAYLOADS)])
def form(request: Request, task_id: str) -> Response:
    """Show the form with the arguments as they were."""
    _, args, kwargs = arguments_of(request.app.state.services.database, task_id)
    typed = {"args": _json(args), "kwargs": _json(kwargs), "run_at": "", "reason": ""}
    return _form(request, task_id, typed)


@router.post("/act/tasks/edit", dependencies=[require(Action.EDIT_AND_RUN)])
def run(
    request: Request,
    task: Annotated[str, Form(max_length=1000)],
    args: Annotated[str, Form(max_length=16_000_000)],
    kwargs: Annotated[str, Form(max_length=16_000_000)] = "{}",
    run_at: Annotated[str, Form(max_length=50)] = "",
    reason: Annotated[str, Form(max_length=500)] = "",
    seen: Annotated[int | None, Form(ge=0, le=1_000_000)] = None,
) -> Response:
    """Let the edited task run, or show the form again with what is wrong."""
    typed = {"args": args, "kwargs": kwargs, "run_at": run_at, "reason": reason}
    try:
        made = edit_and_run(
            request, task, parse_json(args, list, "The arguments"), parse_json(kwargs, dict, "The named arguments"),
            reason=reason, due_at=moment_of(run_at, request), seen=seen,
        )  # fmt: skip
    except (Conflict, NotFound, BadInput) as error:
        sentence = said_in(words_for(request).language, str(error))
        return _form(request, task, typed, sentence, status=409 if isinstance(error, Conflict) else 400)
    here = link(request, "/tasks", task)[len(link(request, "")) :]
    return back_to(request, here, "act.said.edited", task=made.task_id)


def _form(
    request: Request, task_id: str, typed: dict[str, str], problem: str | None = None, status: int = 200
) -> Response:
    services = request.app.state.services
    task, _, _ = arguments_of(services.database, task_id)
    return render(
        request, "edit.html", status=status, task=task, typed=typed, problem=problem,
        seen=len(links_of(services.database, task_id).later),
        signature=signature_of(task.task_name, services.function_of), zone=services.engine.timezone,
    )  # fmt: skip


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
