"""How the outcome of an operation reaches whoever asked for it. There are two ways, and no other in the engine.

1. A ``Future``, or anything with the same three methods (:class:`Completion`): where a thread or greenlet may wait,
   stop waiting, or ask whether others still wait. Declarations, work on channels and a producer's publications end so.
   What a worker publishes completes through the same three methods (``outbox_publisher.PendingConfirm``), without the
   lock and the condition that each future makes: nobody ever waits for it, and there is one for each message.
2. A callback ``then(…, error)``: where nobody waits and the next step of the same message follows, perhaps on another
   thread. Commits of the journal and of the embedded broker and ``PendingAck.then`` end so. It must not block.
"""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Completion(Protocol):
    """What a publication completes: a future, or something lighter where nobody waits."""

    def done(self) -> bool:
        """Return True when it is complete, or nobody wants to know any more."""

    def set_result(self, value: None, /) -> None:
        """Complete it: RabbitMQ has the message."""

    def set_exception(self, error: BaseException | None, /) -> None:
        """Complete it with the reason why RabbitMQ does not have the message, or may not have it."""


def resolve(future: Future[T] | Completion, value: T) -> bool:
    """Give a future its result, unless its owner has stopped waiting. Return whether it was taken."""
    try:
        future.set_result(value)  # type: ignore[arg-type]
    except InvalidStateError:
        return False
    return True


def reject(future: Future[Any] | Completion, error: BaseException) -> None:
    """Give a future an error, unless its owner has stopped waiting."""
    try:
        future.set_exception(error)
    except InvalidStateError:
        return
