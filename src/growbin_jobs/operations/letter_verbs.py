"""Retry and discard: what a person decides about a dead letter of any node; and taking a discard back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import Action, CentralDeadLetter
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.tasks import Task, Tasks
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.errors import Conflict, NotFound

#: How long a discard can be taken back; nothing is done until then.
GRACE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision about a dead letter, which the keepers carry out.

    Attributes:
      action: ``retry`` or ``discard``.
      undo_until: Until when it can be taken back; None: it cannot.
    """

    letter_id: str
    task_id: str
    actor: str
    action: str
    by: str
    at: datetime
    undo_until: datetime | None


def retry(database: Database, letter_id: str, *, by: str, now: datetime | None = None) -> Decided:
    """Let a message that was given up run once more, under its id, with its retries counted anew.

    Its options stay. Of all who ask at once, one gets a run; where the node that had it is gone, another one sends it.

    Raises:
      NotFound: There is no such letter, or it holds no message that could be sent.
      Conflict: Somebody else was first; the sentence says who.
      Deferred: The database is away.
    """
    return _decide(database, letter_id, Action.RETRY, by=by, now=now, grace=None)


def retry_task(database: Database, task_id: str, *, by: str, now: datetime | None = None) -> Decided:
    """Let a dead task run once more, under its id: :func:`retry` of its letter.

    Raises:
      NotFound, Conflict, Deferred: As :func:`retry`; or the task is in no state in which that is possible.
    """
    return retry(database, letter_of_task(database, task_id).id, by=by, now=now)


def discard(
    database: Database, letter_id: str, *, by: str, now: datetime | None = None, grace: timedelta = GRACE
) -> Decided:
    """Say that a message stays given up. Nothing happens for 30 seconds, in which :func:`undo_discard` takes it back.

    Raises:
      NotFound: There is no such letter.
      Conflict: Somebody else was first.
      Deferred: The database is away.
    """
    return _decide(database, letter_id, Action.DISCARD, by=by, now=now, grace=grace)


def undo_discard(database: Database, letter_id: str, *, now: datetime | None = None) -> CentralDeadLetter:
    """Open a dead letter again that was discarded a moment ago; return it.

    Raises:
      NotFound: There is no such letter.
      Conflict: It is too late, or nothing was decided.
      Deferred: The database is away.
    """
    letters = DeadLetters(database)
    if not letters.take_back(letter_id, now=now or datetime.now(UTC)):
        letter = letters.get(letter_id)
        raise Conflict(
            "Nobody has decided about it: there is nothing to take back."
            if letter.is_open
            else "It is too late: the decision has had its effect. Let the task run again instead."
        )
    return letters.get(letter_id)


def letter_of_task(database: Database, task_id: str) -> CentralDeadLetter:
    """Return the open dead letter of a task.

    Raises:
      NotFound: There is no such task.
      Conflict: It has none; the sentence says what can be done.
      Deferred: The database is away.
    """
    letters = DeadLetters(database).of_task(task_id)
    last = letters[-1] if letters else None
    if last is not None and last.is_open:
        return last
    task = Tasks(database).get(task_id)
    if task is None and last is None:
        raise NotFound("The central database knows no task of this id. It may be of the last seconds, or pruned.")
    if task is not None and task.status is TaskState.DEAD and last is not None:
        raise _too_late(last)
    if task is None:
        assert last is not None
        raise _too_late(last)
    raise Conflict(_why_not(task))


def _why_not(task: Task) -> str:
    if task.status is TaskState.COMPLETED:
        return "It has completed, so there is nothing to retry. Run it again: that makes a new task."
    if task.status is TaskState.FAILED:
        when = f" at {task.due_at:%H:%M:%S} UTC" if task.due_at else ""
        # A second message of the same id, beside the one that the broker holds, could run at the same time elsewhere.
        return f"It is retried by itself{when}: a second message could run beside that one. Wait, or revoke it first."
    if task.status is TaskState.DEAD:
        return "The message is not in the central database yet, or not kept any more. Look again in a few seconds."
    return f"It is {task.status.value}: there is nothing to retry."


def _decide(
    database: Database, letter_id: str, action: Action, *, by: str, now: datetime | None, grace: timedelta | None
) -> Decided:
    letters, at = DeadLetters(database), now or datetime.now(UTC)
    until = None if grace is None else at + grace
    if not letters.mark(letter_id, action, by=by, at=at, effect_at=until):
        raise _too_late(letters.get(letter_id))
    letter = letters.get(letter_id)
    return Decided(
        letter_id=letter_id, task_id=letter.task_id, actor=letter.task_name, action=action.value, by=by, at=at,
        undo_until=until,
    )  # fmt: skip


def _too_late(letter: CentralDeadLetter) -> Conflict:
    if letter.taken_by is not None and letter.taken_at is not None:
        done = {Action.RETRY: "has let it run again", Action.DISCARD: "has discarded it"}
        what = done.get(letter.taken_to or Action.RETRY)
        return Conflict(
            f"{letter.taken_by} {what} at {letter.taken_at:%Y-%m-%d %H:%M:%S} UTC. Nothing more is to be done."
        )
    what = "retried" if letter.retried_at is not None else "discarded"
    return Conflict(f"It was {what} on its node {letter.node}. Nothing more is to be done.")
