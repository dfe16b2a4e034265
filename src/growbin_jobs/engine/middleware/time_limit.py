"""Ends an actor that runs for too long, or whose worker is told to stop, and never anything else."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable
from typing import Any

from dramatiq import Actor, Worker
from dramatiq.broker import Broker
from dramatiq.middleware import ShutdownNotifications as DramatiqShutdownNotifications
from dramatiq.middleware import TimeLimit as DramatiqTimeLimit

from growbin_jobs.engine.errors import GrowbinError
from growbin_jobs.engine.foreign_errors import can_be_judged
from growbin_jobs.engine.middleware.in_place_of import InPlaceOf
from growbin_jobs.engine.middleware.interrupts import make_interrupts
from growbin_jobs.engine.processes import once_a_process

_INSTEAD = "Give each actor its time_limit and notify_shutdown, or change them in a middleware of your own."


class TimeLimit(InPlaceOf, DramatiqTimeLimit):
    """Raise ``TimeLimitExceeded`` in an actor that exceeds its ``time_limit`` (milliseconds).

    The clock runs inside the actor's own call (:mod:`growbin_jobs.engine.middleware.interrupts`).
    """

    stock = DramatiqTimeLimit
    replaceable = _INSTEAD

    def __init__(self, *, time_limit: float = 600_000) -> None:
        # Not the base class's: it makes a thread, and this one makes its own in each process that runs something.
        self.time_limit = time_limit
        self.interrupts = once_a_process(make_interrupts)
        self.local = threading.local()

    def adopt(self, other: Any) -> None:
        self.time_limit = other.time_limit

    def after_process_boot(self, broker: Broker) -> None:
        """Nothing to start; see the clocks."""

    def after_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:
        actor.fn = self._limited(actor.fn)

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if message.failed:
            return
        options = broker.get_actor(message.actor_name).options
        limit = message.options.get("time_limit") or options.get("time_limit") or self.time_limit
        self.local.limit = limit / 1000

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        self.local.limit = None

    after_skip_message = after_process_message

    def _limited(self, actor: Callable[..., Any]) -> Callable[..., Any]:
        local, interrupts = self.local, self.interrupts

        @functools.wraps(actor)
        def run(*args: Any, **kwargs: Any) -> Any:
            limit, notified = getattr(local, "limit", None), getattr(local, "notified", False)
            mine = None
            # Not where it is called directly, or by another actor whose clock runs already, or there is no limit.
            if limit is not None and (limit != math.inf or notified):
                local.limit, local.notified = None, False
                mine = interrupts()
            try:
                if mine is not None:
                    mine.start(math.inf if limit is None else limit, on_shutdown=notified)
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


class ShutdownNotifications(InPlaceOf, DramatiqShutdownNotifications):
    """Raise ``Shutdown`` in actors with ``notify_shutdown`` when their worker is told to stop.

    As Dramatiq's, and never in the bookkeeping behind the actor, where it would lose the message. An actor that lets it
    pass is put off: another worker runs it again, and that spends no retry.

    Parameters:
      time_limit: Whose clock it shares.
      notify_shutdown: Where neither the actor nor the message says.
    """

    stock = DramatiqShutdownNotifications
    replaceable = _INSTEAD

    def __init__(self, time_limit: TimeLimit, *, notify_shutdown: bool = False) -> None:
        self.notify_shutdown = notify_shutdown
        self._local = time_limit.local
        self._interrupts = time_limit.interrupts

    def adopt(self, other: Any) -> None:
        self.notify_shutdown = other.notify_shutdown

    def after_process_boot(self, broker: Broker) -> None:
        """Nothing to start; see the clocks."""

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._interrupts().begin()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._interrupts().shut_down()

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether messages without options of this actor need it (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return bool(actor.options.get("notify_shutdown", self.notify_shutdown))

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if not message.failed:
            self._local.notified = self.should_notify(broker.get_actor(message.actor_name), message)  # type: ignore[no-untyped-call]

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        self._local.notified = False

    after_skip_message = after_process_message
