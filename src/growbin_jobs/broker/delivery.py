"""One delivery of a message, tied to the consumer that delivered it."""

from __future__ import annotations

from typing import Any, Protocol

from dramatiq import Message
from dramatiq.broker import MessageProxy


class DeliveringConsumer(Protocol):
    """What a delivery must know of its consumer."""

    @property
    def closed(self) -> bool:
        """True once the broker has taken back everything this consumer had not acknowledged."""


class Delivery(MessageProxy):
    """A message as one consumer delivered it.

    Dramatiq acknowledges on whatever consumer a queue has at that moment. After a reconnect that is another one
    than the one that delivered, and the tag names another message: that message is lost. So a delivery remembers
    its consumer, and consumers settle their own deliveries only.
    """

    def __init__(self, message: Message[Any], consumer: DeliveringConsumer) -> None:
        super().__init__(message)
        self.consumer = consumer
        self.returned = False

    def __str__(self) -> str:
        # Dramatiq logs messages by this; their arguments are people's business.
        return f"{self.actor_name}[{self.message_id}]"

    @property
    def stale(self) -> bool:
        """True when the broker has this message back and will deliver it again."""
        return self.consumer.closed

    def give_back(self) -> None:
        """Let the broker have it back: when it is settled it is neither acknowledged nor dead-lettered.

        For the case that the message's own retry could not be published: acknowledging would lose it.
        """
        self.returned = True
