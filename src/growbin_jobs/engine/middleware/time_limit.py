"""Ends an actor that runs for too long, or whose worker is told to stop, and never anything else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from dramatiq import Actor
from dramatiq.broker import Broker
from dramatiq.middleware import TimeLimit as DramatiqTimeLimit

from growbin_jobs.engine.errors import GrowbinError
from growbin_jobs.engine.foreign_errors import can_be_judged
from growbin_jobs.engine.middleware.greenlet_interrupts import GreenletInterrupts
from growbin_jobs.engine.middleware.in_place_of import InPlaceOf
from growbin_jobs.engine.middleware.interrupts import Interrupts, ThreadInterrupts
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.threads import gevent_active

#: Of the next call of an actor's function in this thread or greenlet: the seconds of its message and its id; None: it
#: is no message that runs. A context variable, since under gevent each look at a local one takes its time.
_message: ContextVar[tuple[float, str] | None] = ContextVar("time_limit", default=None)

#: It is told of a shutdown.
notified: ContextVar[bool] = ContextVar("notify_shutdown", default=False)

#: Told to an application that adds another middleware of this purpose: what it does instead.
INSTEAD = "Give each actor its time_limit and notify_shutdown, or change them in a middleware of your own."


def make_interrupts() -> Interrupts:
    """Return this process's interrupts, for its kind of workers."""
    return GreenletInterrupts() if gevent_active() else ThreadInterrupts()


class TimeLimit(InPlaceOf, DramatiqTimeLimit):
    """Raise ``TimeLimitExceeded`` in an actor that exceeds its ``time_limit`` (milliseconds).

    The clock runs inside the actor's own call (:mod:`growbin_jobs.engine.middleware.interrupts`).
    """

    stock = DramatiqTimeLimit
    replaceable = INSTEAD
    only_failures = True  # where the actor was called, its limit is gone

    def __init__(self, *, time_limit: float = 600_000) -> None:
        # Not the base class's: it makes a thread, and this one makes its own in each process that runs something.
        self.time_limit = time_limit
        self.interrupts = once_a_process(make_interrupts)
        self._seconds: dict[str, float] = {}  # of messages without options, by actor

    def adopt(self, other: Any) -> None:
        self.time_limit = other.time_limit
        self._seconds.clear()

    def after_process_boot(self, broker: Broker) -> None:
        """Nothing to start; see the clocks."""

    def after_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:
        actor.fn = self._limited(actor.fn)
        self._seconds.pop(actor.actor_name, None)

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if message.failed:
            return
        seconds = None if message.options else self._seconds.get(message.actor_name)
        if seconds is None:
            options = broker.get_actor(message.actor_name).options
            seconds = (message.options.get("time_limit") or options.get("time_limit") or self.time_limit) / 1000
            if not message.options:
                self._seconds[message.actor_name] = seconds
        _message.set((seconds, message.message_id))

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        _message.set(None)

    after_skip_message = after_process_message

    def _limited(self, actor: Callable[..., Any]) -> Callable[..., Any]:
        interrupts = self.interrupts

        @functools.wraps(actor)
        def run(*args: Any, **kwargs: Any) -> Any:
            message, mine = _message.get(), None
            # Not where it is called directly, or by another actor whose clock runs already.
            if message is not None:
                _message.set(None)
                if on_shutdown := notified.get():
                    notified.set(False)
                mine = interrupts()
            try:
                if message is not None and mine is not None:
                    mine.start(message[0], on_shutdown=on_shutdown, message_id=message[1])
                return actor(*args, **kwargs)
            except BaseException as error:
                if can_be_judged(error):
                    raise
                # Dramatiq asks in its handler of errors, where that would end the worker thread.
                raise GrowbinError(f"{type(error).__name__} was raised, which does not tell its class.") from None
            finally:
                if mine is not None:
                    mine.stop()

        return run
