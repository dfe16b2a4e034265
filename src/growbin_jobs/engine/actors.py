"""The table of actors: one row says where an actor's messages go, how it is retried, and what follows a give-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dramatiq
from dramatiq import Actor, Message
from dramatiq.broker import Broker

from growbin_jobs.engine.groups import Route

if TYPE_CHECKING:
    from dramatiq.actor import ActorDecorator

#: Called with the actor and the message that was given up (its ``given_up`` says why). Returns the message to send, or
#: None. It must return the same message for the same give-up: a crash may repeat it.
OnGiveUp = Callable[[Actor[Any, Any], Any], Message[Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSpec:
    """One row of the table.

    Attributes:
      route: The actor's wire name and queue.
      group: Name of the worker group that runs it.
      max_retries: How often it is retried.
      min_backoff: Seconds before the first retry; doubles, with jitter.
      time_limit: Seconds that one run may take.
      on_give_up: What is sent when a message is given up; None: nothing.
    """

    route: Route
    group: str
    max_retries: int
    min_backoff: float
    time_limit: float
    on_give_up: OnGiveUp | None = None


def declare(spec: ActorSpec, broker: Broker) -> ActorDecorator:
    """Return the decorator that declares an actor as its row says.

    Parameters:
      spec: The row.
      broker: Whose actor it becomes.
    """
    options: dict[str, Any] = {} if spec.on_give_up is None else {"on_give_up": spec.on_give_up}
    return dramatiq.actor(
        broker=broker,
        actor_name=spec.route.actor,
        queue_name=spec.route.queue,
        max_retries=spec.max_retries,
        min_backoff=int(spec.min_backoff * 1000),
        time_limit=spec.time_limit * 1000,
        **options,
    )
