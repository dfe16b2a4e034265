"""One delivery of a message, tied to the consumer that delivered it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from dramatiq import Message
from dramatiq.broker import MessageProxy

from growbin_jobs.engine import events
from growbin_jobs.engine.delivery.codec import Nameless
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.lifecycle import Life
from growbin_jobs.engine.delivery.records import OutboxMessage


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

    __slots__ = ("delivery", "disposition", "outbox", "pause", "then", "unconfirmed")

    def __init__(
        self,
        outbox: tuple[OutboxMessage, ...],
        delivery: Delivery,
        disposition: Disposition,
        then: Callable[[PendingAck, BaseException | None], None],
    ) -> None:
        self.outbox = outbox
        self.delivery = delivery
        self.disposition = disposition
        self.then = then
        self.unconfirmed = list(outbox)
        self.pause = 0.0


class DeliveringConsumer(Protocol):
    """What a delivery must know of its consumer."""

    @property
    def closed(self) -> bool:
        """True once the broker has taken back everything this consumer had not acknowledged."""

    def settle(self, pending_ack: PendingAck) -> None:
        """Publish what is outbox, then settle the delivery. Returns at once; from any thread, also a native one."""


class Intake(Protocol):
    """What consumers know of the life of their deliveries."""

    def ready(self) -> bool:
        """May messages be handed out? False: ask again later."""

    def receive(self, deliveries: Sequence[Delivery]) -> bool:
        """Begin the life of what has arrived; what is not due yet is settled already (``returned``).

        Returns:
          False if that cannot be done for now: try again.
        """

    def leave(self, delivery: Delivery) -> bool:
        """Be told that the broker gets a delivery back that has not begun. Returns False if it may not have it."""

    def release(self, delivery: Delivery) -> None:
        """Be told that Dramatiq is done with a delivery; it is settled from here on. Never blocks."""


class Return(NamedTuple):
    """Why a delivery goes back to its queue.

    Attributes:
      reason: In a word.
      counted: It goes back with a delay, and its message counts it. False: at once, since this worker stops.
      limited: After some times its message is given up. False: the fault is this node's and not the message's.
      after: It goes back as it is, uncounted, and comes again after so many seconds; 0: as the other fields say.
    """

    reason: str
    counted: bool = True
    limited: bool = True
    after: float = 0.0


if TYPE_CHECKING:
    _Proxy = MessageProxy
else:
    _Proxy = object


class Delivery(_Proxy):
    """A message as one consumer delivered it. It is a ``MessageProxy`` to whoever asks ``isinstance``.

    It does not inherit from that one, whose ``__getattr__`` makes Python look up each attribute the long way: some
    eighty times for each message.

    Dramatiq acknowledges on whatever consumer a queue has at that moment. After a reconnect that is another one
    than the one that delivered, and the tag names another message: that message is lost. So a delivery remembers
    its consumer, and consumers settle their own deliveries only.

    Attributes:
      life: Where it is in the life of a delivery; None where no worker with a journal has received it.
      given_up: Why it was given up: a reason's code and its params.
      kept_result: What the record of its end shall hold as the result, as JSON; None: what the actor returned.
      returned: Why it goes back to its queue, if it does.
    """

    # On the class, since most deliveries never set most of them, and all are made in a hurry.
    failed = False
    _exception: BaseException | None = None
    life: Life | None = None
    given_up: tuple[str, Mapping[str, str | int | float]] | None = None
    kept_result: str | None = None
    returned: Return | None = None

    def __init__(self, message: Message[Any], consumer: DeliveringConsumer, body: bytes | None = None) -> None:
        vars(self).update(vars(message))
        self._message = message
        self.consumer = consumer
        self._body = body if type(message) is not Nameless else None  # with the id that it has been given here

    if not TYPE_CHECKING:

        @property
        def __class__(self) -> type[MessageProxy]:
            return MessageProxy

    fail = MessageProxy.fail
    stuff_exception, clear_exception = MessageProxy.stuff_exception, MessageProxy.clear_exception
    __eq__, __lt__ = MessageProxy.__eq__, MessageProxy.__lt__

    #: A delivery is itself, however equal its message is to another one's.
    __hash__ = object.__hash__

    def __str__(self) -> str:
        # Dramatiq logs messages by this; their arguments are people's business.
        return f"{self.actor_name}[{self.message_id}]"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    @property
    def body(self) -> bytes:
        """The message as it was delivered."""
        return self._body if self._body is not None else self._message.encode()

    @property
    def nameless(self) -> bool:
        """True when its sender gave it no id."""
        return type(self._message) is Nameless

    @property
    def stale(self) -> bool:
        """True when the broker has this message back and will deliver it again."""
        return self.consumer.closed

    @property
    def requeued(self) -> bool:
        """True when it shall be neither acknowledged nor dead-lettered but delivered again."""
        return self.returned is not None

    def give_up(self, code: str, params: Mapping[str, str | int | float]) -> None:
        """Let it become a dead letter, for this reason: it does not run, or not again."""
        events.GIVEN_UP.emit(self, code=code)
        self.given_up = (code, params)
        self.fail()

    def requeue(
        self, reason: str = "undecided", *, counted: bool = True, limited: bool = True, after: float = 0.0
    ) -> None:
        """Let the broker have it back: when it is settled it is neither acknowledged nor dead-lettered.

        Parameters:
          reason, counted, limited, after: See :class:`Return`.
        """
        self.returned = Return(reason, counted, limited, after)


def _of_message(name: str) -> Any:
    return property(lambda delivery: getattr(delivery._message, name))


# What MessageProxy finds by its __getattr__: copy, encode, and the other parts of a message that are no fields.
for _name in set(dir(Message)) - set(dir(Delivery)):
    if not _name.startswith("__"):
        setattr(Delivery, _name, _of_message(_name))
