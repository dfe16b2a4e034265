"""Do not run what the broker has taken back."""

from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker
from dramatiq.middleware import SkipMessage


class DropStale(Middleware):
    """Skip prefetched messages whose consumer has lost its connection.

    The broker delivers them again, so running them here would run them twice. Dramatiq keeps them in its work queue.
    """

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if getattr(message, "stale", False):
            raise SkipMessage
