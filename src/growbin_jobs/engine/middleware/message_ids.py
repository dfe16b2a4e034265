"""Gives messages that an actor makes the ids that they keep."""

from __future__ import annotations

from typing import Any

from dramatiq import Actor, Message, Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine.delivery.outbox import current_outbox


class MessageIds(Middleware):
    """Names a message when it is made inside a run, not only when it is sent.

    So a pipeline or a group that an actor composes holds the ids that its messages will have, those that are sent later
    too, and a second run makes the same ones.
    """

    def after_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:
        make = actor.message_with_options

        def message_with_options(*arguments: Any, **options: Any) -> Message[Any]:
            message = make(*arguments, **options)
            outbox = current_outbox()
            if outbox is not None and (
                outbox.broker is actor.broker or getattr(outbox.broker, "stands_for", None) is actor.broker
            ):
                outbox.name(message)
            return message

        vars(actor)["message_with_options"] = message_with_options
