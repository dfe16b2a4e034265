"""Forms that act, for browsers with and without scripts: each does one thing and leads back to where it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from growbin_jobs.errors import Conflict, NotFound
from growbin_jobs.monitor.acting import state, tasks
from growbin_jobs.monitor.pages.said import back_to
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.monitor.security.refusals import BadInput

router = APIRouter(include_in_schema=False, prefix="/act")

Id = Annotated[str, Form(max_length=1000)]
Back = Annotated[str, Form(max_length=4000)]
Reason = Annotated[str, Form(max_length=500)]


@router.post("/letters/retry", dependencies=[require(Action.RETRY)])
def retry_letter(request: Request, letter: Id, back: Back = "/dead-letters", reason: Reason = "") -> Response:
    """Let a message that was given up run once more."""
    return acted(request, back, "act.said.retried", lambda: tasks.retry_letter(request, letter, reason=reason))


@router.post("/letters/discard", dependencies=[require(Action.DISCARD)])
def discard_letter(request: Request, letter: Id, back: Back = "/dead-letters", reason: Reason = "") -> Response:
    """Say that a message stays given up, in 30 seconds."""
    return acted(
        request, back, "act.said.discarded", lambda: tasks.discard_letter(request, letter, reason=reason), undo=letter
    )


@router.post("/letters/undo", dependencies=[require(Action.DISCARD)])
def undo_discard(request: Request, letter: Id, back: Back = "/dead-letters") -> Response:
    """Take a discard back."""
    return acted(request, back, "act.said.undone", lambda: tasks.undo_discard(request, letter))


@router.post("/tasks/retry", dependencies=[require(Action.RETRY)])
def retry_task(request: Request, task: Id, back: Back = "/tasks", reason: Reason = "") -> Response:
    """Let a dead task run once more."""
    return acted(request, back, "act.said.retried", lambda: tasks.retry_task(request, task, reason=reason))


@router.post("/tasks/run-again", dependencies=[require(Action.RUN_AGAIN)])
def run_again(
    request: Request,
    task: Id,
    back: Back = "/tasks",
    reason: Reason = "",
    fresh: Annotated[bool, Form()] = False,
    seen: Annotated[int | None, Form(ge=0, le=1_000_000)] = None,
) -> Response:
    """Let a task run again as a new one."""
    return acted(
        request, back, "act.said.run_again",
        lambda: tasks.run_again(request, task, reason=reason, fresh=fresh, seen=seen),
    )  # fmt: skip


@router.post("/tasks/revoke", dependencies=[require(Action.REVOKE)])
def revoke(request: Request, task: Id, back: Back = "/tasks", reason: Reason = "") -> Response:
    """Let a message not run."""
    return _dropped(request, back, "act.said.revoked", lambda: tasks.revoke(request, task, reason=reason))


@router.post("/tasks/abort", dependencies=[require(Action.ABORT)])
def abort(request: Request, task: Id, back: Back = "/tasks", reason: Reason = "") -> Response:
    """Interrupt a task."""
    return _dropped(request, back, "act.said.aborted", lambda: tasks.abort(request, task, reason=reason))


@router.post("/pause", dependencies=[require(Action.PAUSE)])
def pause(
    request: Request,
    name: Id,
    reason: Annotated[str, Form(min_length=1, max_length=500)],
    kind: Annotated[Literal["queue", "actor"], Form()] = "queue",
    minutes: Annotated[str, Form(max_length=20)] = "",
    back: Back = "/queues",
) -> Response:
    """Pause a queue or an actor."""
    return acted(
        request, back, "act.said.paused",
        lambda: state.pause(request, kind, name, reason=reason, minutes=number_of(minutes)), name=name,
    )  # fmt: skip


@router.post("/resume", dependencies=[require(Action.PAUSE)])
def resume(
    request: Request,
    name: Id,
    kind: Annotated[Literal["queue", "actor"], Form()] = "queue",
    back: Back = "/queues",
) -> Response:
    """Let a queue or an actor go on."""
    return acted(request, back, "act.said.resumed", lambda: state.resume(request, kind, name), name=name)


@router.post("/limit", dependencies=[require(Action.CHANGE_LIMITS)])
def set_limit(
    request: Request, name: Id, rate: Annotated[str, Form(max_length=50)] = "", back: Back = "/money",
    reason: Reason = "",
) -> Response:  # fmt: skip
    """Change a limit of paid calls."""
    return acted(
        request, back, "act.said.limit", lambda: state.set_limit(request, name, rate, reason=reason), name=name
    )


@router.post("/breaker", dependencies=[require(Action.RESET_BREAKER)])
def reset_breaker(request: Request, name: Id, back: Back = "/money", reason: Reason = "") -> Response:
    """Close a breaker."""
    return acted(
        request, back, "act.said.breaker", lambda: state.reset_breaker(request, name, reason=reason), name=name
    )


@router.post("/batches/cancel", dependencies=[require(Action.CANCEL_BATCH)])
def cancel_batch(request: Request, batch: Id, back: Back = "/batches", reason: Reason = "") -> Response:
    """Let a batch of paid calls end soon."""
    return acted(request, back, "act.said.batch", lambda: state.cancel_batch(request, batch, reason=reason))


@router.post("/jobs/run", dependencies=[require(Action.RUN_SCHEDULE)])
def run_job(request: Request, job: Id, back: Back = "/schedule") -> Response:
    """Let a periodic job run now."""
    return acted(request, back, "act.said.job_runs", lambda: state.run_job(request, job), name=job)


@router.post("/jobs/pause", dependencies=[require(Action.RUN_SCHEDULE)])
def pause_job(
    request: Request, job: Id, reason: Annotated[str, Form(min_length=1, max_length=500)], back: Back = "/schedule"
) -> Response:
    """Skip a periodic job's due times."""
    return acted(
        request, back, "act.said.paused", lambda: state.pause_job(request, job, reason=reason), name=job
    )  # fmt: skip


@router.post("/jobs/resume", dependencies=[require(Action.RUN_SCHEDULE)])
def resume_job(request: Request, job: Id, back: Back = "/schedule") -> Response:
    """Let a periodic job's due times count again."""
    return acted(request, back, "act.said.resumed", lambda: state.resume_job(request, job), name=job)


def acted(
    request: Request, back: str, word: str, act: Callable[[], Any], *, undo: str = "", name: str = ""
) -> Response:
    """Do something and lead back; what was refused is said there too.

    Parameters:
      word: Key of the sentence where it was done.
      undo: A dead letter whose discard can be taken back.
      name: For the sentence.
    """
    try:
        done = act()
    except (Conflict, NotFound, BadInput) as error:
        return back_to(request, back, "act.said.refused", bad=True, why=error)
    new = getattr(done, "task_id", "")
    return back_to(request, back, word, undo=undo, task=new, name=name)


def number_of(text: str) -> float | None:
    """Return a number of a form; None where nothing was written.

    Raises:
      BadInput: It is none.
    """
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise BadInput("That is no number.") from None


def _dropped(request: Request, back: str, word: str, act: Callable[[], Any]) -> Response:
    try:
        done = act()
    except (Conflict, NotFound) as error:
        return back_to(request, back, "act.said.refused", bad=True, why=error)
    if not done.accepted:
        return back_to(request, back, "act.said.over", bad=True)
    return back_to(request, back, word)
