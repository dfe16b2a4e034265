"""One delivery of a message, tied to the consumer that delivered it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from dramatiq import Message
from dramatiq.broker import MessageProxy

from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, TaskHistory

if TYPE_CHECKING:
    from growbin_jobs.engine.delivery.outbox import Outbox
    from growbin_jobs.engine.delivery.runs import Run


@dataclass(eq=False, slots=True)
class PendingAck:
    """What must reach the broker before a delivery is settled, and what then becomes of the delivery.

    Attributes:
      outbox: To be published and confirmed first, in this order.
      delivery: To be settled after that, on the consumer that delivered it; left alone where that is closed.
      disposition: How.
      then: Called with this object and None when all of it is done, or with an error when something was not published:
        then the delivery is not settled. May be called on any thread; does not block.
      unconfirmed: What has not been confirmed so far.
      pause: Seconds until the next try, when one has failed.
    """

    outbox: tuple[OutboxMessage, ...]
    delivery: Delivery
    disposition: Disposition
    then: Callable[[PendingAck, BaseException | None], None]
    unconfirmed: list[OutboxMessage] = field(init=False)
    pause: float = 0.0

    def __post_init__(self) -> None:
        self.unconfirmed = list(self.outbox)


class DeliveringConsumer(Protocol):
    """What a delivery must know of its consumer."""

    @property
    def closed(self) -> bool:
        """True once the broker has taken back everything this consumer had not acknowledged."""

    def settle(self, pending_ack: PendingAck) -> None:
        """Publish what is outbox, then settle the delivery. Returns at once; from any thread, also a native one."""


class Intake(Protocol):
    """Who is asked before messages are fetched, and shown them before they are handed out."""

    def ready(self) -> bool:
        """May messages be handed out? False: ask again later."""

    def receive(self, deliveries: Sequence[Delivery]) -> bool:
        """Look at what has arrived, many at once. Returns False if that cannot be done for now: try again."""


class Delivery(MessageProxy):
    """A message as one consumer delivered it.

    Dramatiq acknowledges on whatever consumer a queue has at that moment. After a reconnect that is another one
    than the one that delivered, and the tag names another message: that message is lost. So a delivery remembers
    its consumer, and consumers settle their own deliveries only.

    Attributes:
      requeued: True when it shall be neither acknowledged nor dead-lettered but delivered again.
      run: What this process knows of this run of the message; None where nobody keeps a journal.
      history: What the journal knew about the message when it arrived.
      given_up: Why it was given up: a reason's code and its params.
      kept_result: What the record of its end shall hold as the result, as JSON; None: what the actor returned.
      slot: Its place in the ledger of starts while it runs.
      started_at: Seconds since 1970, UTC.
      outbox: What it has sent.
      record: How it ended.
      settle_hook: Called instead of settling the delivery, by whoever has something to do before.
    """

    # On the class, since most deliveries never set most of them, and all are made in a hurry.
    requeued: bool = False
    run: Run[Delivery] | None = None
    history: TaskHistory | None = None
    given_up: tuple[str, Mapping[str, str | int | float]] | None = None
    kept_result: str | None = None
    slot: int | None = None
    started_at: float = 0.0
    outbox: Outbox | None = None
    record: Finish | None = None
    settle_hook: Callable[[Delivery], None] | None = None

    def __init__(self, message: Message[Any], consumer: DeliveringConsumer, body: bytes | None = None) -> None:
        super().__init__(message)
        # MessageProxy finds the message's fields by __getattr__, and they are asked for some twenty times.
        vars(self).update(vars(message))
        self.consumer = consumer
        self._body = body

    #: A delivery is itself, however equal its message is to another one's.
    __hash__ = object.__hash__

    def __str__(self) -> str:
        # Dramatiq logs messages by this; their arguments are people's business.
        return f"{self.actor_name}[{self.message_id}]"

    @property
    def body(self) -> bytes:
        """The message as it was delivered."""
        return self._body if self._body is not None else self._message.encode()

    @property
    def stale(self) -> bool:
        """True when the broker has this message back and will deliver it again."""
        return self.consumer.closed

    @property
    def disposition(self) -> Disposition:
        """What the broker is to be told, as it stands."""
        if self.requeued:
            return Disposition.REQUEUE
        return Disposition.DEAD_LETTER if self.failed else Disposition.ACK

    def requeue(self) -> None:
        """Let the broker have it back: when it is settled it is neither acknowledged nor dead-lettered.

        For the case that the message's own retry could not be published: acknowledging would lose it.
        """
        self.requeued = True
