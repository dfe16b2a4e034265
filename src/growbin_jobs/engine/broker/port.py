"""The broker port: what the engine asks of a broker beyond Dramatiq's own interface.

RabbitMQ, the embedded broker and the sandbox's stand-in implement it; ``tests/contract/test_broker.py`` runs over all
of them. A new broker is a class with these methods, Dramatiq's ``declare_queue`` and ``consume``, and a consumer whose
deliveries are :class:`growbin_jobs.engine.delivery.delivery.Delivery`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from dramatiq import Message

from growbin_jobs.engine.delivery.delivery import Intake
from growbin_jobs.engine.delivery.records import OutboxMessage


class Depth(NamedTuple):
    """How many messages a queue holds, by state. None: this broker cannot tell.

    Attributes:
      ready: Waiting for a consumer.
      claimed: At a consumer and not settled.
      delayed: Not due yet.
      dead: Given up.
    """

    ready: int = 0
    claimed: int | None = 0
    delayed: int | None = 0
    dead: int = 0


class Checked(NamedTuple):
    """A broker that is well, as ``growbin-jobs doctor`` tells it.

    Attributes:
      where: Its version and address, for people.
      caveats: What a person should know (``ok``) or change (``warning``), as sentences.
    """

    where: str
    caveats: tuple[tuple[Literal["ok", "warning"], str], ...] = ()


class Survey(NamedTuple):
    """A queue as monitors show it.

    Attributes:
      depth: How many messages it holds.
      age: Seconds since the message at its head was sent or became due; 0: none waits; None: nobody can tell.
    """

    depth: Depth
    age: float | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that the broker keeps among its dead letters.

    Attributes:
      seq: Its place: names it for as long as the broker keeps it (embedded), or during one listing (RabbitMQ).
      message_id: Dramatiq's id; empty where the body is no message and nobody said another.
      queue: The queue that it was in.
      priority: Its priority there.
      deliveries: How often it was handed out; 0 where the broker does not say.
      reason: Why it is here, in the broker's words.
      body: The encoded message as it was sent; perhaps the very thing that cannot be decoded.
      died_at: When, UTC; None where the broker does not say.
    """

    seq: int
    message_id: str
    queue: str
    priority: int
    deliveries: int
    reason: str
    body: bytes
    died_at: datetime | None


@runtime_checkable
class BrokerPort(Protocol):
    """A broker that loses nothing.

    Attributes:
      intake: Asked before messages are handed out, and shown them; set before a worker starts. None: hand out all.
    """

    intake: Intake | None

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Send a message; it is durable when this returns. Inside a run it goes to that run's outbox.

        Parameters:
          delay: Milliseconds for which the broker holds it back.

        Raises:
          Unsendable: It could never be delivered.
          BrokerConnectionError: It was not taken; the text says why.
        """

    def forward(self, messages: Sequence[OutboxMessage]) -> list[Exception | None]:
        """Send what a journal holds for the broker, in order, and return for each None, or why it was not taken."""

    def depths(self, queues: Iterable[str] = ()) -> dict[str, Depth]:
        """Return the depth of each queue that the broker knows of and that exists.

        Parameters:
          queues: Names of more queues. RabbitMQ lists none to a client: a process that has used no queue has to name
            those that it asks about.
        """

    def survey(self, queues: Iterable[str]) -> dict[str, Survey]:
        """Return depth and age of those queues that exist, as far as the broker can tell."""

    def dead_letters(self, queue_name: str | None = None, *, limit: int = 1000) -> list[DeadLetter]:
        """Return dead letters, newest first, and leave them where they are.

        Parameters:
          queue_name: Of this queue only; None for all queues of :meth:`depths`.
          limit: At most so many.
        """

    def note_unrecorded(self, queues: Iterable[str], note: Callable[[DeadLetter], bool]) -> int:
        """Show dead letters that perhaps no worker has recorded, each to one process until that has noted it.

        Parameters:
          queues: Whose dead letters, beside those that the broker knows of.
          note: Writes a letter down, and returns once it is on the disk: whether it was new.

        Returns:
          How many were new.
        """

    def forget_dead_letters(self, queues: Iterable[str], belongs: Callable[[bytes], bool]) -> int:
        """Delete dead letters that a function picks by their encoded message; return how many.

        Parameters:
          queues: Whose dead letters.
          belongs: Called with each body.
        """

    def close(self) -> None:
        """Let go of the broker. May be called again; a later use opens it anew."""
