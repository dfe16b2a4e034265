"""Run again, and edit and run: a new message from an old one, with an id of its own and a link to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import Action, decide
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.reruns import Kind, Rerun, Reruns, Wish
from growbin_jobs.engine.central.tasks import Task, Tasks
from growbin_jobs.engine.control.instructions import Action as Instruct
from growbin_jobs.engine.control.instructions import Target
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.delivery.codec import new_id
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.delivery.reruns import again, encoded
from growbin_jobs.errors import Conflict, NotFound
from growbin_jobs.names import UPLOAD_IMAGE
from growbin_jobs.operations.signatures import FunctionOf, check_arguments

#: How far ahead a message may be due.
FARTHEST = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What a task was made from, and what was made from it."""

    origin: Rerun | None
    later: list[Rerun]

    @property
    def superseded_by(self) -> Rerun | None:
        """The task that took its place, edited."""
        return next((each for each in self.later if each.kind is Kind.EDITED), None)


def links_of(database: Database, task_id: str) -> Links:
    """Return the links of a task.

    Raises:
      Deferred: The database is away.
    """
    reruns = Reruns(database)
    return Links(origin=reruns.origin(task_id), later=reruns.of(task_id))


def run_again(
    database: Database,
    task_id: str,
    *,
    by: str,
    reason: str = "",
    fresh: bool = False,
    seen: int | None = None,
    now: datetime | None = None,
) -> Rerun:
    """Let a task run again as a new one, whatever became of it: same actor, arguments and options, a new id.

    Parameters:
      fresh: Ask models anew; else an answer that is saved is used, and costs nothing.
      seen: How many reruns of it the person knows of, for who presses twice; None: an earlier one must have ended.

    Raises:
      NotFound: There is no such task, or its message is not known.
      Conflict: Somebody else was first, or it cannot run again; the sentence says why.
      Deferred: The database is away.
    """
    task = _task(database, task_id)
    if task.task_name == UPLOAD_IMAGE.actor and task.status is TaskState.COMPLETED:
        raise Conflict(
            "The photo that was handed in is stored, and was deleted where it came from. Let analyze_image run again."
        )
    message = _message(task, fresh=fresh)
    wish = _wish(task, Kind.AGAIN, message, by=by, reason=reason)
    at = now or datetime.now(UTC)
    return database.transaction(lambda connection: Reruns(database).add(connection, wish, seen=seen, at=at))


def edit_and_run(
    database: Database,
    task_id: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    by: str,
    function_of: FunctionOf,
    reason: str = "",
    due_at: datetime | None = None,
    seen: int | None = None,
    now: datetime | None = None,
) -> Rerun:
    """Let a task run with other arguments, as a new one that takes its place.

    A dead letter of the old one is discarded, and where it still waits it is revoked.

    Parameters:
      args, kwargs: JSON values, checked against what the actor takes.
      function_of: Returns an actor's function.
      due_at: Aware; not to run before. None: at once.
      seen: See :func:`run_again`.

    Raises:
      NotFound: There is no such task, or its actor is not known here.
      Conflict: Somebody else was first, the arguments do not fit, or it runs now.
      Deferred: The database is away.
    """
    task, at = _task(database, task_id), now or datetime.now(UTC)
    if task.status is TaskState.RUNNING:
        raise Conflict("It runs now. Abort it first, or wait for its end.")
    if due_at is not None and due_at > at + FARTHEST:
        raise Conflict("The time is more than a year away.")
    check_arguments(task.task_name, args, kwargs, function_of)
    message = _message(task, changes={"args": list(args), "kwargs": dict(kwargs)})
    later = due_at if due_at is not None and due_at > at else None
    wish = _wish(task, Kind.EDITED, message, by=by, reason=reason, due_at=later)
    letters = [each.id for each in DeadLetters(database).of_task(task_id) if each.is_open]

    def write(connection: Any) -> Rerun:
        made = Reruns(database).add(connection, wish, seen=seen, at=at)
        for letter_id in letters:
            decide(connection, letter_id, Action.DISCARD, by=by, at=at)
        return made

    made = database.transaction(write)
    if task.status in (TaskState.PENDING, TaskState.FAILED):
        why = f"superseded by {made.task_id}"
        Control(database).give(Instruct.REVOKE, Target.MESSAGE, task_id, by=by, reason=why)
    return made


def arguments_of(database: Database, task_id: str) -> tuple[Task, list[Any], dict[str, Any]]:
    """Return a task with its arguments, for a form.

    Raises:
      NotFound: There is no such task, or its message is not known.
      Deferred: The database is away.
    """
    task = _task(database, task_id)
    message = _message(task)
    return task, list(message["args"]), dict(message["kwargs"])


def _task(database: Database, task_id: str) -> Task:
    task = Tasks(database).get(task_id)
    if task is None:
        raise NotFound("The central database knows no task of this id. It may be of the last seconds, or pruned.")
    return task


def _message(task: Task, *, fresh: bool = False, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        return again(json.dumps(task.payload), new_id(), fresh=fresh, changes=changes)
    except ValueError:
        raise NotFound("Its message is not known, so it cannot run again.") from None


def _wish(
    task: Task, kind: Kind, message: dict[str, Any], *, by: str, reason: str, due_at: datetime | None = None
) -> Wish:
    return Wish(
        task_id=message["message_id"], rerun_of=task.task_id, kind=kind, task_name=task.task_name,
        queue_name=task.queue_name, body=encoded(message), by=by, reason=reason, due_at=due_at,
    )  # fmt: skip
