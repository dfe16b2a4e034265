"""Keep what a message sends until its run has ended."""

from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.outbox import Outbox


class OutboxScope(Middleware):
    """Open the outbox right before the actor, and right after it drop what a failed run has sent.

    What other middleware sends after that, the retry or the record of a failure, belongs to the end of the run.
    """

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if isinstance(message, Delivery) and message.run is not None:
            message.outbox = Outbox(broker, message.message_id)
            message.outbox.open()
            crashpoint("actor.before")

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        crashpoint("actor.after")
        if exception is not None and isinstance(message, Delivery) and message.outbox is not None:
            message.outbox.forget()
