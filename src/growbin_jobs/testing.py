"""Test your own actors: no broker, no worker, no waiting.

::

    from growbin_jobs.testing import sandbox

    def test_a_picture_is_analysed(photo):
        with sandbox() as box:
            upload_image.send("user-1", photo, "analysis-1")
            box.run()
        assert [sent.actor for sent in box.sent()] == ["upload_image", "analyze_image"]

Inside the block every send goes into the sandbox, whoever sends, and :meth:`Sandbox.run` runs the messages here, in
this thread, one after the other, in the order they are due. Time is the sandbox's own: a retry in an hour runs at once,
and :attr:`Sandbox.now` is an hour later. All else is as in a worker: the broker's own middleware decides on retries,
deferrals and dead letters; a message that an actor sends leaves only when the actor has returned, under the id that is
made from its parent's; arguments travel as JSON.

``run(twice=True)`` runs each message twice, as a crash may, and fails where the second run does something else.

To test against crashes of real processes, name a point of :mod:`growbin_jobs.crashpoints`.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from dramatiq import Message, Middleware, get_broker
from dramatiq.broker import Broker
from dramatiq.middleware import Interrupt, SkipMessage, TimeLimit

from growbin_jobs.adapters.objects.memory import MemoryStore
from growbin_jobs.broker.delivery import Delivery, Payment
from growbin_jobs.broker.outbox import Outbox
from growbin_jobs.middleware.boot import Boot
from growbin_jobs.middleware.prefetch import Prefetch
from growbin_jobs.middleware.retries import Retries
from growbin_jobs.middleware.stale import DropStale

__all__ = ["DeadLetter", "MemoryStore", "Run", "Sandbox", "Sent", "sandbox"]

#: Messages that leave at the end of a run, each with its delay in milliseconds.
Owing = list[tuple[Message[Any], int | None]]

#: What belongs to a worker process and not to a message's fate.
_OF_WORKERS: tuple[type[Middleware], ...] = (Boot, DropStale, Prefetch, TimeLimit)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent.

    Attributes:
      message: As it travels.
      at: Seconds of the sandbox's time when it was sent.
      due: Seconds of the sandbox's time before which it does not run.
      parent: Id of the message that sent it; its own where it is a retry or was put off; None from outside.
    """

    message: Message[Any]
    at: float
    due: float
    parent: str | None

    @property
    def actor(self) -> str:
        """Its actor's name."""
        return self.message.actor_name

    @property
    def id(self) -> str:
        """Its message id."""
        return self.message.message_id

    @property
    def args(self) -> tuple[Any, ...]:
        """Positional arguments."""
        return tuple(self.message.args)

    @property
    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments."""
        return dict(self.message.kwargs)

    @property
    def retries(self) -> int:
        """How often it has failed before."""
        return int(self.message.options.get("retries", 0))

    @property
    def deferrals(self) -> int:
        """How often it was put off before."""
        return int(self.message.options.get("deferrals", 0))


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a message.

    Attributes:
      sent: What ran.
      at: Seconds of the sandbox's time.
      result: What the actor returned.
      exception: What it raised.
      owed: What left the process at its end: follow-ups, or its own retry.
    """

    sent: Sent
    at: float
    result: Any
    exception: BaseException | None
    owed: tuple[Sent, ...]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up.

    Attributes:
      sent: The message.
      at: Seconds of the sandbox's time.
      code: Why, as in :data:`growbin_jobs.reasons.REASONS`; None where some other middleware decided it.
      exception: The last error.
    """

    sent: Sent
    at: float
    code: str | None
    exception: BaseException | None


@contextmanager
def sandbox(broker: Broker | None = None) -> Iterator[Sandbox]:
    """Let all sends of a broker's actors go into a sandbox.

    Parameters:
      broker: Whose actors; None: the one that was set for Dramatiq, which importing ``growbin_jobs.app`` does.
    """
    real = broker or get_broker()
    if "enqueue" in vars(real):
        raise RuntimeError("This broker is in a sandbox already. Leave that one first.")
    box = Sandbox(real)
    vars(real)["enqueue"] = box._twin.enqueue
    try:
        yield box
    finally:
        del vars(real)["enqueue"]


class Sandbox:
    """See the module. Made by :func:`sandbox`.

    Attributes:
      now: Seconds of its own time; it begins at 0 and jumps from one due message to the next.
    """

    def __init__(self, broker: Broker) -> None:
        self.now = 0.0
        self._twin = _Twin(broker, self)
        self._began = time.time()
        self._order = count()
        self._waiting: list[tuple[float, int, Sent]] = []
        self._sent: list[Sent] = []
        self._dead: list[DeadLetter] = []

    # --- what has happened

    def sent(self, actor: str | None = None) -> list[Sent]:
        """Return everything that was sent, retries too, in order; of one actor only if it is named."""
        return [each for each in self._sent if actor in (None, each.actor)]

    def waiting(self, actor: str | None = None) -> list[Sent]:
        """Return what has not run yet, in the order in which it will. It stays here when nobody here has its actor."""
        return [each for _, _, each in sorted(self._waiting) if actor in (None, each.actor)]

    def dead(self, actor: str | None = None) -> list[DeadLetter]:
        """Return the dead letters, in order."""
        return [each for each in self._dead if actor in (None, each.sent.actor)]

    # --- what happens

    def run(
        self, *, until: float | None = None, twice: bool = False, fail_fast: bool = True, most: int = 1000
    ) -> list[Run]:
        """Run messages until none is left that has an actor here.

        Parameters:
          until: Seconds of the sandbox's time: leave what is due later, and let it be so late then.
          twice: Run each message twice before anything of it leaves, as after a crash.
          fail_fast: Raise the error of a message that becomes a dead letter. False: see :meth:`dead`.
          most: So many runs at most: actors that call each other for ever are an error.

        Returns:
          What ran, in order.

        Raises:
          AssertionError: If a second run sent something else than the first, or there were too many runs.
          Exception: What an actor raised, with ``fail_fast``.
        """
        runs: list[Run] = []
        while (sent := self._next(until)) is not None:
            if len(runs) >= most:
                raise AssertionError(f"{most} messages ran and there are more: do actors send to each other for ever?")
            self.now = max(self.now, sent.due)
            runs.append(self._run(sent, twice=twice, fail_fast=fail_fast))
        if until is not None:
            self.now = max(self.now, until)
        return runs

    def _next(self, until: float | None) -> Sent | None:
        for entry in sorted(self._waiting):
            due, _, sent = entry
            if until is not None and due > until:
                return None
            if sent.actor in self._twin.actors:
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
                return sent
        return None

    def _run(self, sent: Sent, *, twice: bool, fail_fast: bool) -> Run:
        end = self._twin.process(sent.message)
        if twice and end.exception is None:
            _check_repeated(end, self._twin.process(sent.message))
        left = tuple(self._keep(message, delay, parent=sent.id) for message, delay in end.owed)
        if end.delivery.failed:
            self._dead.append(DeadLetter(sent, self.now, _reason(end.delivery), end.exception))
            if fail_fast and end.exception is not None:
                raise end.exception
        return Run(sent, self.now, end.result, end.exception, left)

    def _keep(self, message: Message[Any], delay: int | None, *, parent: str | None) -> Sent:
        sent = Sent(message, self.now, self.now + (delay or 0) / 1000, parent)
        self._sent.append(sent)
        heapq.heappush(self._waiting, (sent.due, next(self._order), sent))
        return sent

    def _clock(self) -> float:
        return self._began + self.now


@dataclass(frozen=True, slots=True)
class _End:
    """How a run ended, before anything has left the process."""

    delivery: Delivery
    result: Any
    exception: BaseException | None
    owed: Owing


@dataclass(slots=True)
class _Nowhere:
    """The consumer of a delivery that nobody settles."""

    closed: bool = False
    payments: list[Payment] = field(default_factory=list)

    def conclude(self, payment: Payment) -> None:
        self.payments.append(payment)


class _Twin(Broker):
    """Stands in for a broker: its actors and middleware, and nothing that leaves the process."""

    def __init__(self, real: Broker, box: Sandbox) -> None:
        super().__init__(middleware=[])
        self._real = real
        self._box = box
        self._outbox: Outbox | None = None
        self._delays: list[int | None] = []
        self.actors = real.actors
        self.actor_options = real.actor_options
        self.middleware = [_on_clock(each, box) for each in real.middleware if not isinstance(each, _OF_WORKERS)]

    def declare_queue(self, queue_name: str) -> None:
        self._real.declare_queue(queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        if self._outbox is not None:
            taken = self._outbox.take(message, delay)
            self._delays.append(delay)
            return taken
        self.emit_before("enqueue", message, delay)
        self._box._keep(Message.decode(message.encode()), delay, parent=None)
        self.emit_after("enqueue", message, delay)
        return message

    def process(self, message: Message[Any]) -> _End:
        """Run a message as Dramatiq's ``WorkerThread.process_message`` does."""
        delivery = Delivery(message, _Nowhere())
        self._outbox, self._delays = Outbox(self, delivery), []
        result: Any = None
        raised: BaseException | None = None
        try:
            self.emit_before("process_message", delivery)
            if not delivery.failed:
                result = self.get_actor(delivery.actor_name)(*delivery.args, **delivery.kwargs)
        except SkipMessage:
            self.emit_after("skip_message", delivery)
            return _End(delivery, None, None, self._close())
        except (Exception, Interrupt) as error:  # an Interrupt is no Exception: Dramatiq's time limit
            # What a failed run has sent is sent by the next one.
            self._outbox.forget()
            self._delays.clear()
            raised = error
        self.emit_after("process_message", delivery, result=result, exception=raised)
        return _End(delivery, result, raised, self._close())

    def _close(self) -> Owing:
        outbox, self._outbox = self._outbox, None
        assert outbox is not None
        return [(Message.decode(each.body), delay) for each, delay in zip(outbox.close(), self._delays, strict=True)]


def _on_clock(middleware: Middleware, box: Sandbox) -> Middleware:
    """Let retries and deferrals go by the sandbox's time."""
    if not isinstance(middleware, Retries):
        return middleware
    return Retries(
        max_retries=middleware.max_retries,
        min_backoff=middleware.min_backoff,
        max_wait=middleware.max_wait,
        clock=box._clock,
    )


def _reason(delivery: Delivery) -> str | None:
    given_up = getattr(delivery, "given_up", None)
    return None if given_up is None else str(given_up[0])


def _check_repeated(first: _End, second: _End) -> None:
    actor = first.delivery.actor_name
    if second.exception is not None:
        raise AssertionError(f"The first run of {actor} went well, the second one failed.") from second.exception
    if (sent := _described(first.owed)) != (sent_again := _described(second.owed)):
        raise AssertionError(f"The second run of {actor} sent {sent_again}, the first one {sent}.")


def _described(owed: Owing) -> list[tuple[Any, ...]]:
    return [(each.actor_name, each.message_id, tuple(each.args), each.kwargs, delay) for each, delay in owed]
