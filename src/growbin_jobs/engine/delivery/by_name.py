"""Messages by name: how one group of workers sends to another without importing it."""

import time
from typing import Any

from dramatiq import Message

from growbin_jobs.engine.delivery.codec import assemble, new_id
from growbin_jobs.engine.delivery.outbox import current_outbox
from growbin_jobs.engine.groups import Route


def message_for(route: Route, *args: Any, **kwargs: Any) -> Message[Any]:
    """Return a message for an actor that this process need not know.

    Made inside of a running message, it has the id that it will be sent under; one that is sent through another broker
    has it too, and so the same one in each run.

    Parameters:
      route: The actor's wire name and queue.
      args: Positional arguments of the actor; JSON values.
      kwargs: Keyword arguments of the actor; JSON values.
    """
    outbox = current_outbox()
    return assemble(
        {
            "queue_name": route.queue,
            "actor_name": route.actor,
            "args": args,
            "kwargs": kwargs,
            "options": {},
            "message_id": new_id() if outbox is None else outbox.new_id(route.actor),
            "message_timestamp": int(time.time() * 1000),
        }
    )
