"""Feeds the result of one actor into the next: pipelines."""

from __future__ import annotations

from typing import Any

from dramatiq import Actor, Message
from dramatiq.broker import Broker
from dramatiq.middleware import Pipelines as DramatiqPipelines

from growbin_jobs.engine.middleware.follow_ups import owed_by
from growbin_jobs.engine.middleware.in_place_of import InPlaceOf


class Pipelines(InPlaceOf, DramatiqPipelines):
    """Sends a pipeline's next message as a follow-up of the run before, under the id that the pipeline's maker knows.

    As Dramatiq's ``Pipelines``. A follow-up is committed with the end of its run, so no stage is lost between two.
    """

    stock = DramatiqPipelines

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether messages without options of this actor need it (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return False  # a pipeline's messages say so in their options

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        target = message.options.get("pipe_target") if message.options else None
        if target is None or exception is not None or message.failed or getattr(message, "stale", False):
            return
        with owed_by(message, "the next stage of its pipeline"):
            following: Message[Any] = Message(**target)
            actor = broker.get_actor(message.actor_name)
            if not (following.options.get("pipe_ignore") or actor.options.get("pipe_ignore")):
                following = following.copy(args=(*following.args, result))
            broker.enqueue(following, delay=following.options.get("delay"))
