"""Tells an actor which message it runs for."""

from __future__ import annotations

from typing import Any

from dramatiq.broker import Broker
from dramatiq.middleware import CurrentMessage as DramatiqCurrentMessage

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
