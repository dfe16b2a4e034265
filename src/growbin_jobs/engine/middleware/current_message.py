"""Tells an actor which message it runs for, and names the messages that it makes."""

from __future__ import annotations

from typing import Any

from dramatiq import Actor, Message, Middleware
from dramatiq.broker import Broker
from dramatiq.middleware import CurrentMessage as DramatiqCurrentMessage

from growbin_jobs.engine.delivery.codec import is_random, new_id
from growbin_jobs.engine.delivery.outbox import current_outbox
from growbin_jobs.engine.middleware.in_place_of import InPlaceOf


class CurrentMessage(InPlaceOf, DramatiqCurrentMessage):
    """Sets what ``CurrentMessage.get_current_message()`` returns, Dramatiq's own too, until the run has ended."""

    stock = DramatiqCurrentMessage

    def before_process_message(self, broker: Broker, message: Any) -> None:
        DramatiqCurrentMessage._MESSAGE.set(message)

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        DramatiqCurrentMessage._MESSAGE.set(None)

    after_skip_message = after_process_message


class MessageIds(Middleware):
    """Names messages when they are made.

    Inside a run not only when they are sent: so a pipeline or a group that an actor composes holds the ids that its
    messages will have, those that are sent later too, and a second run makes the same ones. Elsewhere by
    :func:`growbin_jobs.engine.delivery.codec.new_id` and not at random, which costs each index of ids a page a row.
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
            elif is_random(message.message_id):
                vars(message)["message_id"] = new_id()
            return message

        vars(actor)["message_with_options"] = message_with_options
