"""``/api/task/revoke`` and ``abort``: by the instructions that all workers obey within two seconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from growbin_jobs.engine.control.table import MOST_NAME, Control
from growbin_jobs.errors import Conflict
from growbin_jobs.monitor.api.flower.arguments import Arguments, Given
from growbin_jobs.monitor.api.flower.asking import asked
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.recording import record
from growbin_jobs.monitor.security.identify import identity_of
from growbin_jobs.monitor.security.permissions import Action, allows, require
from growbin_jobs.monitor.security.refusals import BadInput, Forbidden
from growbin_jobs.operations import control

router = APIRouter(include_in_schema=False)

_REASON = "by Flower's API"


@router.post("/api/task/revoke/{task_id:path}", dependencies=[require(Action.REVOKE)])
def revoke(request: Request, task_id: str, given: Arguments) -> Response:
    """Let a message not run; with ``terminate``, interrupt it where it does, by whatever signal was named."""
    if given.flag("terminate"):
        if not allows(Action.ABORT, identity_of(request), read_only=request.app.state.config.read_only):
            raise Forbidden(Action.ABORT)
        return _drop(request, control.abort, "task.aborted", task_id, given, "Revoked")
    return _drop(request, control.revoke, "task.revoked", task_id, given, "Revoked")


@router.post("/api/task/abort/{task_id:path}", dependencies=[require(Action.ABORT)])
def abort(request: Request, task_id: str, given: Arguments) -> Response:
    """Let a message not run, and interrupt it where it does."""
    return _drop(request, control.abort, "task.aborted", task_id, given, "Aborted")


def _drop(
    request: Request, drop: Callable[..., control.Dropped], action: str, task_id: str, given: Given, word: str
) -> Response:
    if not task_id or len(task_id) > MOST_NAME:
        raise BadInput(f"The id of a task has 1 to {MOST_NAME} characters.")
    services, identity = request.app.state.services, identity_of(request)
    reason = (given.text("reason") or _REASON)[:500]
    record(request, action, target=task_id, reason=reason)
    try:
        dropped = drop(
            Control(services.database), partial(asked, services), task_id,
            by=identity.name if identity else "", reason=reason,
        )  # fmt: skip
    except Conflict as error:  # so many are revoked already
        raise BadInput(str(error), status=409) from None
    said: dict[str, Any] = {"message": f"{word} '{task_id}'"}
    if not dropped.accepted:  # Flower says the same of what has ended; who reads on learns more
        said |= {"accepted": False, "state": dropped.state.value}
    return StrictAnswer(said)
