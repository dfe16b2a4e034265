"""What people tell all workers: pause and resume queues and actors, revoke and abort messages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, Protocol

from growbin_jobs.engine.control.instructions import Action, Instruction, Target
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.inspect import QueueState
from growbin_jobs.engine.task_results import ENDED, State
from growbin_jobs.errors import NotFound

#: What an operator may pause.
Pausable = Literal["queue", "actor"]


@dataclass(frozen=True, slots=True)
class Pause:
    """Somebody has paused something; times are seconds since 1970, UTC, and ``until_at`` None: until it is resumed."""

    target: str
    name: str
    by: str
    reason: str
    since_at: float
    until_at: float | None


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """One queue as a person sees it. None for a number: this broker cannot tell.

    Attributes:
      ready: Messages that wait for a worker.
      reserved: At workers, and not begun.
      running: At workers, and begun, as far as it is known.
      delayed: Not due yet.
      dead: Given up, with the broker.
      paused: Who has paused it; None: nobody.
    """

    name: str
    ready: int
    reserved: int | None
    running: int | None
    delayed: int | None
    dead: int
    paused: Pause | None


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a pause or a resume.

    Attributes:
      changed: False: it was so already.
      pause: What holds now; after a resume, what held before. None: nothing did.
    """

    target: str
    name: str
    changed: bool
    pause: Pause | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """What became of the wish that a message does not run.

    Attributes:
      action: ``revoke`` or ``abort``; ``withdraw``: the wish was taken back.
      state: What had become of the message by then, as far as it was known.
      accepted: False: it has ended, and nothing can be done about that; or there was nothing to take back.
      by, reason: Who said so and why; None where nothing was said.
    """

    task_id: str
    action: str
    state: State
    accepted: bool
    by: str | None
    reason: str | None


class Asked(Protocol):
    """What this module asks about a message; :class:`growbin_jobs.engine.task_results.TaskResult` is one."""

    @property
    def state(self) -> State:
        """What has become of it."""


def list_queues(queues: Sequence[QueueState]) -> list[QueueStatus]:
    """Return queues as a person sees them.

    Parameters:
      queues: As an inspector has them.
    """
    return [
        QueueStatus(
            name=each.name,
            ready=each.ready,
            reserved=each.reserved,
            running=None if each.claimed is None or each.reserved is None else each.claimed - each.reserved,
            delayed=each.delayed,
            dead=each.dead,
            paused=None if each.paused is None else pause_of(each.paused),
        )
        for each in queues
    ]


def paused_actors(control: Control) -> list[Pause]:
    """Return the actors that are paused, by name.

    Raises:
      Deferred: The database is away.
    """
    found = [pause_of(each) for each in control.read().all if each.target is Target.ACTOR]
    return sorted(found, key=lambda each: each.name)


def pause(
    control: Control,
    target: Pausable,
    name: str,
    *,
    known: Collection[str],
    by: str,
    reason: str,
    until: float | None = None,
) -> Changed:
    """Let no message of a queue or an actor begin on any node, within two seconds. What runs goes on.

    A pause that holds already gets the new reason and end.

    Parameters:
      known: The queues or actors that there are.
      by, reason: Who says so and why.
      until: When it ends by itself, seconds since 1970, UTC; None: when it is resumed.

    Raises:
      NotFound: There is no such queue or actor.
      Deferred: The database is away.
    """
    if name not in known:
        close = get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(sorted(known)) or 'none'}."
        raise NotFound(f"There is no {target} {name}. {hint}")
    kind = Target(target)
    before = control.get(kind, name)
    given = control.give(Action.PAUSE, kind, name, by=by, reason=reason, until=until)
    return Changed(target, name, before is None, pause_of(given))


def resume(control: Control, target: Pausable, name: str, *, by: str) -> Changed:
    """Let messages of a queue or an actor begin again.

    Parameters:
      by: Who says so.

    Returns:
      ``changed`` is False where it was not paused.

    Raises:
      Deferred: The database is away.
    """
    before = control.withdraw(Target(target), name, by=by)
    return Changed(target, name, before is not None, None if before is None else pause_of(before))


def revoke(control: Control, asked: Callable[[str], Asked], task_id: str, *, by: str, reason: str) -> Dropped:
    """Let a message not run: wherever it waits, it is dropped when its turn comes. What runs goes on.

    Parameters:
      asked: Returns what is known of a message.
      by, reason: Who says so and why.

    Raises:
      Conflict: So many messages are revoked already.
      Permanent: ``request_invalid``: no message has such an id.
      Deferred: The database is away.
    """
    return _drop(control, asked, task_id, Action.REVOKE, by=by, reason=reason)


def abort(control: Control, asked: Callable[[str], Asked], task_id: str, *, by: str, reason: str) -> Dropped:
    """Let a message not run, and interrupt it if it does. Parameters and errors as :func:`revoke`."""
    return _drop(control, asked, task_id, Action.ABORT, by=by, reason=reason)


def withdraw(control: Control, asked: Callable[[str], Asked], task_id: str) -> Dropped:
    """Take back that a message is revoked or aborted; what it did by then stays done.

    Raises:
      Deferred: The database is away.
    """
    before = control.withdraw(Target.MESSAGE, task_id)
    state = asked(task_id).state
    if before is None:
        return Dropped(task_id, "withdraw", state, False, None, None)
    return Dropped(task_id, "withdraw", state, True, before.by, before.reason)


def pause_of(instruction: Instruction) -> Pause:
    """Return a pause as a person sees it."""
    return Pause(
        instruction.target.value, instruction.name, instruction.by, instruction.reason, instruction.at,
        instruction.until,
    )  # fmt: skip


def _drop(
    control: Control, asked: Callable[[str], Asked], task_id: str, action: Action, *, by: str, reason: str
) -> Dropped:
    state = asked(task_id).state
    if state in ENDED:
        return Dropped(task_id, action.value, state, False, None, None)
    given = control.give(action, Target.MESSAGE, task_id, by=by, reason=reason)
    return Dropped(task_id, action.value, state, True, given.by, given.reason)
