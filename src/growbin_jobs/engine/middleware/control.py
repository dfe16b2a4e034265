"""Lets a worker obey what people tell all nodes: paused queues and actors, revoked and aborted messages.

A message that nobody has said anything about passes none of this: the hooks are chosen anew when that changes
(:mod:`growbin_jobs.engine.fast.hooks`). A paused queue keeps its messages by itself
(:mod:`growbin_jobs.engine.pauses`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from dramatiq import Actor, Middleware, Worker
from dramatiq.broker import Broker
from dramatiq.middleware import SkipMessage

from growbin_jobs.engine import events
from growbin_jobs.engine.backoff import pause_after
from growbin_jobs.engine.control.aborted import Aborted
from growbin_jobs.engine.control.instructions import Instruction
from growbin_jobs.engine.control.obeying import Obeying
from growbin_jobs.engine.delivery.intake import put_aside
from growbin_jobs.engine.delivery.records import ABORTED, REVOKED
from growbin_jobs.engine.fast.hooks import FastHooks
from growbin_jobs.engine.processes import is_isolated_process
from growbin_jobs.engine.results import failure

#: Seconds for which a message of a paused actor is put aside when there is no room for it here: as long as the pause
#: lasts so far, within these.
SHORTEST_ASIDE, LONGEST_ASIDE = 15.0, 300.0

#: That time is taken times one of these.
JITTER = (1.0, 1.25)


class Control(Middleware):
    """Drops revoked messages, and watches over all that this process is told.

    Parameters:
      obeying: What it is told.
    """

    def __init__(self, obeying: Obeying) -> None:
        self.obeying = obeying
        self._end: Callable[[], None] | None = None

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether messages without options of this actor need it (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return bool(self.obeying.messages)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        if isinstance(broker, FastHooks):
            # What runs suspects for a worker gets only what that one has let pass.
            pauses = None if is_isolated_process() else broker.pauses
            self._end = self.obeying.begin(pauses, broker.choose_hooks_anew)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        if self._end is not None:
            self._end()

    def before_process_message(self, broker: Broker, message: Any) -> None:
        said = self.obeying.messages.get(message.message_id)
        if said is not None and getattr(message, "life", None) is not None:
            drop(message, REVOKED, said)

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if isinstance(exception, Aborted) and getattr(message, "life", None) is not None:
            drop(message, ABORTED, self.obeying.messages.get(message.message_id))


class ActorPauses(Middleware):
    """Puts messages of paused actors aside when this process has no room to keep them.

    Its place is outside of all others: such a message has not begun.

    Parameters:
      obeying: What it is told.
    """

    position = -2

    def __init__(self, obeying: Obeying, *, clock: Callable[[], float] = time.time) -> None:
        self._obeying = obeying
        self._clock = clock

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether messages without options of this actor need it (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return actor.actor_name in self._obeying.actors

    def before_process_message(self, broker: Broker, message: Any) -> None:
        said = self._obeying.actors.get(message.actor_name)
        if said is None or is_isolated_process() or getattr(message, "life", None) is None:
            return
        seconds = self._aside(said)
        if put_aside(message, "actor_paused", seconds):
            events.PUT_ASIDE.emit(message, seconds=seconds)
            raise SkipMessage

    def _aside(self, said: Instruction) -> float:
        now = self._clock()
        lasted = max(0.0, now - said.at)
        seconds = min(max(lasted, SHORTEST_ASIDE), LONGEST_ASIDE)
        if said.until is not None:
            seconds = max(said.until - now, 1.0)
        return pause_after(0, seconds, 2 * seconds, JITTER)


def drop(message: Any, how: str, said: Instruction | None) -> None:
    """Let a message end for good without a run, or without another one.

    All middleware sees it as one that was given up: what its actor's row says for that case is sent. Its record says
    ``revoked`` or ``aborted``, and it is no dead letter.
    """
    by = said.by if said is not None else "?"
    words = f"{by} has {how} it" + (f": {said.reason}" if said is not None and said.reason else ".")
    message.given_up = (how, {})
    message.kept_result = failure("TaskRevoked", words)
    message.fail()
    if how == REVOKED:
        events.REVOKED.emit(message, by=by)
    else:
        events.ABORTED.emit(message, by=by)
