"""``/api/v2``: what can be done to tasks and dead letters. 409 with a sentence: somebody else was first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import Field
from starlette.responses import Response

from growbin_jobs.engine.central.reruns import Rerun
from growbin_jobs.monitor.acting import tasks as acts
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.api.v2.why import NO_REASON, PLAIN, Why
from growbin_jobs.monitor.pages.rendering import words_for
from growbin_jobs.monitor.reading.letters import LetterLine, line_of
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.control import Dropped
from growbin_jobs.operations.letter_verbs import Decided
from growbin_jobs.operations.reruns import Links, links_of

router = APIRouter(tags=["actions"])


class Again(Why):
    """How a task runs again.

    Attributes:
      fresh: Answers of models that are kept are not used.
      seen: How many reruns of it you know of; without it an earlier one must have ended.
    """

    fresh: bool = False
    seen: Annotated[int | None, Field(ge=0, le=1_000_000)] = None


class Edit(Why):
    """Other arguments for a task.

    Attributes:
      run_at: Not before, ISO 8601; without it at once.
    """

    args: list[Any]
    kwargs: dict[str, Any] = Field(default_factory=dict)
    run_at: Annotated[str | None, Field(max_length=50)] = None
    seen: Annotated[int | None, Field(ge=0, le=1_000_000)] = None


_WHY = Annotated[Why, Body()]


@router.post("/dead-letters/{letter_id}/retry", response_model=Decided, dependencies=[require(Action.RETRY)])
def retry_letter(request: Request, letter_id: str, why: _WHY = NO_REASON) -> Response:
    """Let a message that was given up run once more, under its id."""
    return StrictAnswer(acts.retry_letter(request, letter_id, reason=why.reason))


@router.post("/dead-letters/{letter_id}/discard", response_model=Decided, dependencies=[require(Action.DISCARD)])
def discard_letter(request: Request, letter_id: str, why: _WHY = NO_REASON) -> Response:
    """Say that a message stays given up; for 30 seconds that can be taken back."""
    return StrictAnswer(acts.discard_letter(request, letter_id, reason=why.reason))


@router.post(
    "/dead-letters/{letter_id}/undo",
    response_model=LetterLine,
    dependencies=[require(Action.DISCARD), PLAIN],
)
def undo_discard(request: Request, letter_id: str) -> Response:
    """Take a discard back, within 30 seconds."""
    return StrictAnswer(line_of(acts.undo_discard(request, letter_id), words_for(request).language))


@router.get("/task-links/{task_id:path}", response_model=Links, dependencies=[require(Action.SEE_STATE)])
def links(request: Request, task_id: str) -> Response:
    """Return what a task was made from, and what was made from it."""
    return StrictAnswer(links_of(request.app.state.services.database, task_id))


@router.post("/tasks/{task_id:path}/retry", response_model=Decided, dependencies=[require(Action.RETRY)])
def retry_task(request: Request, task_id: str, why: _WHY = NO_REASON) -> Response:
    """Let a dead task run once more, under its id."""
    return StrictAnswer(acts.retry_task(request, task_id, reason=why.reason))


@router.post("/tasks/{task_id:path}/run-again", response_model=Rerun, dependencies=[require(Action.RUN_AGAIN)])
def run_again(request: Request, task_id: str, how: Annotated[Again, Body()] = Again()) -> Response:  # noqa: B008
    """Let a task run again as a new one, whatever became of it."""
    return StrictAnswer(acts.run_again(request, task_id, reason=how.reason, fresh=how.fresh, seen=how.seen))


@router.post("/tasks/{task_id:path}/edit", response_model=Rerun, dependencies=[require(Action.EDIT_AND_RUN)])
def edit_and_run(request: Request, task_id: str, edit: Edit) -> Response:
    """Let a task run with other arguments as a new one that takes its place, now or at a time."""
    due_at = acts.moment_of(edit.run_at, request)
    made = acts.edit_and_run(
        request, task_id, edit.args, edit.kwargs, reason=edit.reason, due_at=due_at, seen=edit.seen
    )
    return StrictAnswer(made)


@router.post("/tasks/{task_id:path}/revoke", response_model=Dropped, dependencies=[require(Action.REVOKE)])
def revoke(request: Request, task_id: str, why: _WHY = NO_REASON) -> Response:
    """Let a message not run, wherever it waits."""
    return _dropped(acts.revoke(request, task_id, reason=why.reason))


@router.post("/tasks/{task_id:path}/unrevoke", response_model=Dropped, dependencies=[require(Action.REVOKE), PLAIN])
def unrevoke(request: Request, task_id: str) -> Response:
    """Take a revocation back."""
    return _dropped(acts.withdraw(request, task_id))


@router.post("/tasks/{task_id:path}/abort", response_model=Dropped, dependencies=[require(Action.ABORT)])
def abort(request: Request, task_id: str, why: _WHY = NO_REASON) -> Response:
    """Interrupt a task where it runs, and let it not run elsewhere."""
    return _dropped(acts.abort(request, task_id, reason=why.reason))


def _dropped(done: Dropped) -> Response:
    return StrictAnswer(done, 200 if done.accepted else 409)
