"""Does not run what has waited for too long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from dramatiq import Actor
from dramatiq.broker import Broker
from dramatiq.middleware import AgeLimit as DramatiqAgeLimit
from dramatiq.middleware import SkipMessage

from growbin_jobs.engine.middleware.in_place_of import InPlaceOf


class AgeLimit(InPlaceOf, DramatiqAgeLimit):
    """Gives up a message that is older than its ``max_age`` (milliseconds) when its turn comes.

    As Dramatiq's ``AgeLimit``, and the dead letter says so (code ``too_old``): who watches it can see what was missed.

    Parameters:
      max_age: Where neither the actor nor the message says. None: no limit.
      clock: Seconds since 1970; tests have their own.
    """

    stock = DramatiqAgeLimit

    def __init__(self, *, max_age: int | None = None, clock: Callable[[], float] = time.time) -> None:
        super().__init__(max_age=max_age)
        self._clock = clock

    def adopt(self, other: Any) -> None:
        self.max_age = other.max_age

    def on_clock(self, clock: Callable[[], float]) -> AgeLimit:
        """Return one that goes by another clock and is the same otherwise."""
        return AgeLimit(max_age=self.max_age, clock=clock)

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether messages without options of this actor need it (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return bool(actor.options.get("max_age", self.max_age))

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if message.failed:
            return
        actor = broker.actors.get(message.actor_name)
        limit = message.options.get("max_age") or (actor.options.get("max_age", self.max_age) if actor else None)
        if not limit or self._clock() * 1000 - message.message_timestamp < limit:
            return
        message.give_up("too_old", {"seconds": limit / 1000})
        raise SkipMessage("Message age limit exceeded")
