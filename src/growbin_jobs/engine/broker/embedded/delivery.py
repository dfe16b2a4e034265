"""A message as a consumer of the embedded broker hands it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from dramatiq import Message
from dramatiq.broker import MessageProxy

from growbin_jobs.engine.broker.embedded.queue import Claimed, EmbeddedQueue
from growbin_jobs.engine.delivery.delivery import DeliveringConsumer, Delivery, Intake


class ClaimingConsumer(DeliveringConsumer, Protocol):
    """The consumer that claimed a message, and alone settles it."""

    intake: Intake | None
    _name: str
    _unsettled: set[int]

    def _settle(self, seq: int, settle: Callable[[EmbeddedQueue, int, str], bool]) -> None: ...


class EmbeddedDelivery(Delivery):
    """A message as the embedded broker delivered it.

    Attributes:
      seq: Names the row.
      deliveries: How often it was handed out, this time included. It counts what a crashed process had fetched but not
        begun, so it is a hint that a message kills its workers, not a proof.
    """

    consumer: ClaimingConsumer

    def __init__(self, message: Message[Any], consumer: ClaimingConsumer, claimed: Claimed) -> None:
        # A due time that some other broker put there is over: Dramatiq would wait for it once more, in memory.
        message.options.pop("eta", None)
        super().__init__(message, consumer, claimed.body)
        self.seq = claimed.seq
        self.reason = "rejected"
        self.deliveries = claimed.deliveries

    @property
    def redelivered(self) -> bool:
        """True when it was handed out before."""
        return self.deliveries > 1


def as_embedded(message: MessageProxy) -> EmbeddedDelivery:
    """Return a delivery that the embedded broker made.

    Raises:
      TypeError: Some other broker made it.
    """
    if not isinstance(message, EmbeddedDelivery):
        raise TypeError(f"{message!r} was not delivered by the embedded broker")
    return message
