"""Tells when all members of a group have completed: completion callbacks."""

from __future__ import annotations

import logging
from typing import Any

from dramatiq import Actor, Message
from dramatiq.broker import Broker
from dramatiq.middleware import GroupCallbacks as DramatiqGroupCallbacks
from dramatiq.rate_limits import Barrier, RateLimiterBackend

from growbin_jobs.engine.delivery.outbox import current_outbox
from growbin_jobs.engine.middleware.follow_ups import owed_by
from growbin_jobs.engine.middleware.in_place_of import InPlaceOf

logger = logging.getLogger(__name__)

#: Milliseconds that a group may take from its first member to its last: as long as a message may be put off, and more.
BARRIER_TTL = 7 * 86_400_000


class GroupCallbacks(InPlaceOf, DramatiqGroupCallbacks):
    """Sends a group's completion callbacks as follow-ups of the member that completes last.

    As Dramatiq's ``GroupCallbacks``. On the engine's own backend (:mod:`growbin_jobs.engine.rate_limits`) a member that
    is delivered twice counts once, and a crash between counting and sending loses nothing: the member runs again, and
    the callbacks have the ids that the group's maker gave them. Backends that only count, such as Dramatiq's, count a
    repeated member twice.

    Parameters:
      rate_limiter_backend: Where members are counted.
      barrier_ttl: Milliseconds that a group may take.
    """

    stock = DramatiqGroupCallbacks

    def __init__(self, rate_limiter_backend: RateLimiterBackend, *, barrier_ttl: int = BARRIER_TTL) -> None:
        # Not the base class's, which reads an environment variable.
        self.rate_limiter_backend: Any
        self.count_in(rate_limiter_backend)
        self.barrier_ttl = barrier_ttl

    def count_in(self, backend: RateLimiterBackend) -> None:
        """Count members there from now on."""
        self.rate_limiter_backend = _OfRuns(backend)

    def adopt(self, other: Any) -> None:
        self.count_in(other.rate_limiter_backend)
        self.barrier_ttl = other.barrier_ttl

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether messages without options of this actor need it (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return False  # a group's members say so in their options

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if not message.options or exception is not None or message.failed or getattr(message, "stale", False):
            return
        group = message.options.get("group_completion_uuid")
        callbacks = message.options.get("group_completion_callbacks")
        if group and callbacks:
            with owed_by(message, "the completion callback of its group"):
                if self._arrived(group, message):
                    for each in callbacks:
                        broker.enqueue(Message(**each))

    def _arrived(self, group: str, message: Any) -> bool:
        arrive = getattr(self.rate_limiter_backend, "arrive", None)
        if arrive is None:
            return bool(Barrier(self.rate_limiter_backend, group, ttl=self.barrier_ttl).wait(block=False))  # type: ignore[no-untyped-call]
        complete = arrive(group, message.message_id, self.barrier_ttl)
        if complete is None:
            logger.error("group.unknown message=%s group=%s its callbacks are not sent", message, group)
        return bool(complete)


class _OfRuns:
    """A backend for ``group.run()``: a group that an actor starts counts under the same name in each run.

    Parameters:
      backend: Where it counts.
    """

    def __init__(self, backend: RateLimiterBackend) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def add(self, key: str, value: int, ttl: int) -> Any:
        """Add a group's barrier; see ``RateLimiterBackend``."""
        outbox = current_outbox()
        return self._backend.add(key if outbox is None else outbox.stable(key, "group"), value, ttl)  # type: ignore[no-untyped-call]
