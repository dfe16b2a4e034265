"""Tells actors that want to know that their worker stops."""

from __future__ import annotations

from typing import Any

from dramatiq import Actor, Worker
from dramatiq.broker import Broker
from dramatiq.middleware import ShutdownNotifications as DramatiqShutdownNotifications

from growbin_jobs.engine.middleware.in_place_of import InPlaceOf
from growbin_jobs.engine.middleware.time_limit import INSTEAD, TimeLimit, notified


class ShutdownNotifications(InPlaceOf, DramatiqShutdownNotifications):
    """Raise ``Shutdown`` in actors with ``notify_shutdown`` when their worker is told to stop.

    As Dramatiq's, and never in the bookkeeping behind the actor, where it would lose the message. An actor that lets it
    pass is put off: another worker runs it again, and that spends no retry.

    Parameters:
      time_limit: Whose clock it shares.
      notify_shutdown: Where neither the actor nor the message says.
    """

    stock = DramatiqShutdownNotifications
    replaceable = INSTEAD

    def __init__(self, time_limit: TimeLimit, *, notify_shutdown: bool = False) -> None:
        self.notify_shutdown = notify_shutdown
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
            actor = broker.get_actor(message.actor_name)
            notified.set(self.should_notify(actor, message))  # type: ignore[no-untyped-call]

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        notified.set(False)

    after_skip_message = after_process_message
