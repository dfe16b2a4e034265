"""Messages by name: how one group sends to the other without importing it."""

import os
from typing import Any

from dramatiq import Message

from growbin_jobs.names import Route


def message_for(route: Route, *args: Any, **kwargs: Any) -> Message[Any]:
    """Return a message for an actor that this process need not know.

    Parameters:
      route: The actor's wire name and queue.
      args: Positional arguments of the actor; JSON values.
      kwargs: Keyword arguments of the actor; JSON values.
    """
    return Message(
        queue_name=route.queue, actor_name=route.actor, args=args, kwargs=kwargs, options={}, message_id=_random_id()
    )


def _random_id() -> str:
    # What str(uuid4()) returns, without its objects: each message of a chain comes here.
    name = os.urandom(16).hex()
    return f"{name[:8]}-{name[8:12]}-4{name[13:16]}-{'89ab'[int(name[16], 16) & 3]}{name[17:20]}-{name[20:]}"
