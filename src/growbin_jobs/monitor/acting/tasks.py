"""Acts on single tasks and dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from growbin_jobs.engine.central.dead_letter_rows import CentralDeadLetter
from growbin_jobs.engine.central.reruns import Rerun
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.delivery.records import DROPPED, TaskState
from growbin_jobs.engine.task_results import State
from growbin_jobs.monitor.acting.actor import name_of
from growbin_jobs.monitor.recording import record
from growbin_jobs.operations import control, letter_verbs, reruns
from growbin_jobs.operations.control import Dropped
from growbin_jobs.operations.letter_verbs import Decided


def retry_letter(request: Request, letter_id: str, *, reason: str = "") -> Decided:
    """Let a message that was given up run once more; see :func:`growbin_jobs.operations.letter_verbs.retry`."""
    record(request, "dead_letter.retried", target=letter_id, reason=reason)
    return letter_verbs.retry(request.app.state.services.database, letter_id, by=name_of(request))


def retry_task(request: Request, task_id: str, *, reason: str = "") -> Decided:
    """Let a dead task run once more; see :func:`growbin_jobs.operations.letter_verbs.retry_task`."""
    record(request, "task.retried", target=task_id, reason=reason)
    return letter_verbs.retry_task(request.app.state.services.database, task_id, by=name_of(request))


def discard_letter(request: Request, letter_id: str, *, reason: str = "") -> Decided:
    """Say that a message stays given up; see :func:`growbin_jobs.operations.letter_verbs.discard`."""
    record(request, "dead_letter.discarded", target=letter_id, reason=reason)
    return letter_verbs.discard(request.app.state.services.database, letter_id, by=name_of(request))


def undo_discard(request: Request, letter_id: str) -> CentralDeadLetter:
    """Take a discard back; see :func:`growbin_jobs.operations.letter_verbs.undo_discard`."""
    record(request, "dead_letter.opened_again", target=letter_id)
    return letter_verbs.undo_discard(request.app.state.services.database, letter_id)


def run_again(
    request: Request, task_id: str, *, reason: str = "", fresh: bool = False, seen: int | None = None
) -> Rerun:
    """Let a task run again as a new one; see :func:`growbin_jobs.operations.reruns.run_again`."""
    record(request, "task.run_again", target=task_id, reason=reason, details={"fresh": fresh})
    database = request.app.state.services.database
    return reruns.run_again(database, task_id, by=name_of(request), reason=reason, fresh=fresh, seen=seen)


def edit_and_run(
    request: Request,
    task_id: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    reason: str = "",
    due_at: datetime | None = None,
    seen: int | None = None,
) -> Rerun:
    """Let a task run with other arguments; see :func:`growbin_jobs.operations.reruns.edit_and_run`."""
    details = {"due_at": due_at.isoformat() if due_at else None}  # not the arguments, which are personal data
    record(request, "task.edited_and_run", target=task_id, reason=reason, details=details)
    services = request.app.state.services
    return reruns.edit_and_run(
        services.database, task_id, args, kwargs, by=name_of(request), function_of=services.function_of, reason=reason,
        due_at=due_at, seen=seen,
    )  # fmt: skip


def revoke(request: Request, task_id: str, *, reason: str = "") -> Dropped:
    """Let a message not run; see :func:`growbin_jobs.operations.control.revoke`."""
    record(request, "task.revoked", target=task_id, reason=reason)
    return control.revoke(_control(request), _Asked(request), task_id, by=name_of(request), reason=reason)


def abort(request: Request, task_id: str, *, reason: str = "") -> Dropped:
    """Interrupt a task; see :func:`growbin_jobs.operations.control.abort`."""
    record(request, "task.aborted", target=task_id, reason=reason)
    return control.abort(_control(request), _Asked(request), task_id, by=name_of(request), reason=reason)


def withdraw(request: Request, task_id: str) -> Dropped:
    """Take a revocation back; see :func:`growbin_jobs.operations.control.withdraw`."""
    record(request, "task.revocation_withdrawn", target=task_id)
    return control.withdraw(_control(request), _Asked(request), task_id)


def _control(request: Request) -> Control:
    return Control(request.app.state.services.database)


_STATES = {
    TaskState.PENDING: State.PENDING,
    TaskState.RUNNING: State.STARTED,
    TaskState.FAILED: State.RETRY,
    TaskState.COMPLETED: State.SUCCESS,
    TaskState.DEAD: State.FAILURE,
}


class _Asked:
    """What the central database knows of a message: the monitor has no journal."""

    def __init__(self, request: Request, task_id: str | None = None) -> None:
        self._request = request
        self._task_id = task_id

    def __call__(self, task_id: str) -> _Asked:
        return _Asked(self._request, task_id)

    @property
    def state(self) -> State:
        task = Tasks(self._request.app.state.services.database).get(self._task_id or "")
        if task is None:
            return State.UNKNOWN
        if task.status is TaskState.COMPLETED and task.error in DROPPED:
            return State.REVOKED
        return _STATES[task.status]


def moment_of(text: str | None, request: Request) -> datetime | None:
    """Return a time that somebody wrote, aware; without a zone of its own it is one of the schedule's.

    Raises:
      BadInput: It is none.
    """
    from zoneinfo import ZoneInfo

    from growbin_jobs.monitor.reading.task_query import moment
    from growbin_jobs.monitor.security.refusals import BadInput

    if not text or not text.strip():
        return None
    try:
        return moment(text.strip(), ZoneInfo(request.app.state.services.engine.timezone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput("That is no time. Write one such as 2026-12-01T09:00.") from None
