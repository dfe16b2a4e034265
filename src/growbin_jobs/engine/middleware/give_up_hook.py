"""Sends what an actor's row says when its message is given up."""

from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine import events
from growbin_jobs.engine.delivery.codec import follow_up_id
from growbin_jobs.engine.delivery.runs import counted
from growbin_jobs.engine.foreign_errors import describe, places


class GiveUpHook(Middleware):
    """Calls the actor's option ``on_give_up`` and sends the message that it returns.

    A message, and not a call that does it: what it needs may be what is down, and then the message waits in its queue
    like any other work. When it cannot be sent the failed message is requeued: a failure that nobody is told of counts
    as a loss.
    """

    only_failures = True

    @property
    def actor_options(self) -> set[str]:
        return {"on_give_up"}

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if not message.failed or getattr(message, "given_up", None) is None:
            return
        try:
            self._send(broker, message)
        except Exception as error:
            events.DECISION_FAILED.emit(message, error=describe(error), where=places(error))
            message.failed = False
            message.requeue("give_up_unpublished")

    after_skip_message = after_process_message

    def _send(self, broker: Broker, message: Any) -> None:
        actor = broker.get_actor(message.actor_name)
        hook = actor.options.get("on_give_up")
        follow_up = hook(actor, message) if hook is not None else None
        if follow_up is None:
            return
        # Its usual id would be that of the first give-up: after a person's retry, which counts as put off once more, a
        # second one with another reason would pass for sent already.
        run = counted(message.options, "deferrals")
        message_id = follow_up_id(message.message_id, follow_up.actor_name, run)
        broker.enqueue(follow_up.copy(message_id=message_id))
