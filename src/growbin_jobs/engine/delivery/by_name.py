"""Messages by name: how one group of workers sends to another without importing it."""

from typing import Any

from dramatiq import Message

from growbin_jobs.engine.delivery.codec import random_id
from growbin_jobs.engine.groups import Route


def message_for(route: Route, *args: Any, **kwargs: Any) -> Message[Any]:
    """Return a message for an actor that this process need not know.

    Parameters:
      route: The actor's wire name and queue.
      args: Positional arguments of the actor; JSON values.
      kwargs: Keyword arguments of the actor; JSON values.
    """
    return Message(
        queue_name=route.queue, actor_name=route.actor, args=args, kwargs=kwargs, options={}, message_id=random_id()
    )
