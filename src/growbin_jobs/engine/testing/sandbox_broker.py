"""A broker whose messages stay in this process, and that runs them as a worker does."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dramatiq import Message, Middleware
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.broker import Broker
from dramatiq.middleware import Interrupt, ShutdownNotifications, SkipMessage, TimeLimit

from growbin_jobs.engine.broker.port import DeadLetter, Depth, Survey
from growbin_jobs.engine.delivery.admission import admit
from growbin_jobs.engine.delivery.codec import decode
from growbin_jobs.engine.delivery.delivery import Delivery, Intake, PendingAck
from growbin_jobs.engine.delivery.due_time import delay_until_due
from growbin_jobs.engine.delivery.outbox import Outbox
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.delivery.runs import key_of
from growbin_jobs.engine.middleware.age_limit import AgeLimit
from growbin_jobs.engine.middleware.async_actors import AsyncIO
from growbin_jobs.engine.middleware.boot import Boot
from growbin_jobs.engine.middleware.lifecycle import Lifecycle, OutboxScope
from growbin_jobs.engine.middleware.prefetch import Prefetch
from growbin_jobs.engine.middleware.retries import Retries

#: Messages that leave at the end of a run, each with its delay in milliseconds.
Outgoing = list[tuple[Message[Any], int | None]]

#: What belongs to a worker process and not to a message's fate.
_OF_WORKERS: tuple[type[Middleware], ...] = (
    AsyncIO, Boot, Lifecycle, OutboxScope, Prefetch, ShutdownNotifications, TimeLimit,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended, before anything has left the process.

    Attributes:
      delivery: What ran.
      result: What the actor returned.
      exception: What it raised.
      outbox: What is to leave.
      skipped: A middleware has skipped it.
    """

    delivery: Delivery
    result: Any
    exception: BaseException | None
    outbox: Outgoing
    skipped: bool = False


@dataclass(slots=True)
class _Nowhere:
    """The consumer of a delivery that nobody settles."""

    closed: bool = False
    pending_acks: list[PendingAck] = field(default_factory=list)

    def settle(self, pending_ack: PendingAck) -> None:
        self.pending_acks.append(pending_ack)


class Holds(Protocol):
    """What keeps the messages of a sandbox."""

    def keep(self, message: Message[Any], delay: int | None) -> object:
        """Take a message that was sent outside of a run, with its delay in milliseconds."""

    def depths(self) -> dict[str, Depth]:
        """Return the depth of each queue that holds anything."""

    def dead_letters(self) -> list[DeadLetter]:
        """Return all dead letters, newest first."""


#: What ends a run as a failed one, as in a worker. An Interrupt, Dramatiq's time limit, is no Exception.
_FAILURES = (Exception, Interrupt, SystemExit, CancelledError)


class SandboxBroker(Broker):
    """Stands in for a broker: its actors and middleware, and nothing that leaves the process.

    Parameters:
      real: For whom.
      holds: Keeps what was sent.
      clock: Returns the time by which retries and deferrals go, in seconds since 1970.
    """

    intake: Intake | None = None

    def __init__(self, real: Broker, holds: Holds, clock: Callable[[], float]) -> None:
        super().__init__(middleware=[])
        self._real = self.stands_for = real
        self._holds = holds
        self._clock = clock
        self._outbox: Outbox | None = None
        self._asyncio: AsyncIO | None = None
        self._delays: list[int | None] = []
        self.actors = real.actors
        self.actor_options = real.actor_options
        self.middleware = [_on_clock(each, clock) for each in real.middleware if not isinstance(each, _OF_WORKERS)]

    def declare_queue(self, queue_name: str) -> None:
        """Let the broker know of a queue."""
        self._real.declare_queue(queue_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Keep a message: in the outbox of the run that sends it, where there is one."""
        if message.options and "eta" in message.options:
            delay = delay_until_due(message, delay, self._clock())
        if self._outbox is not None:
            taken = self._outbox.take(message, delay)
            self._delays.append(delay)
            return taken
        self.emit_before("enqueue", message, delay)
        self._holds.keep(Message.decode(admit(message, delay)), delay)
        self.emit_after("enqueue", message, delay)
        return message

    def forward(self, messages: Sequence[OutboxMessage]) -> list[Exception | None]:
        """Keep what a journal holds for the broker, in order; return for each None, or why it cannot be taken."""
        return [self._forwarded(message) for message in messages]

    def _forwarded(self, message: OutboxMessage) -> Exception | None:
        try:
            decoded = decode(message.body, message.queue_name)
            left = None if message.due_at is None else max(0, round((message.due_at - self._clock()) * 1000))
            admit(decoded, left)
        except ValueError as error:
            return error
        self._holds.keep(decoded, left)
        return None

    def depths(self, queues: Iterable[str] = ()) -> dict[str, Depth]:  # noqa: ARG002 a sandbox lists all of them
        """Return the depth of each queue that holds anything."""
        return self._holds.depths()

    def survey(self, queues: Iterable[str]) -> dict[str, Survey]:
        """Return the depths of queues; a sandbox has a clock of its own, and tells no ages."""
        depths = self.depths()
        return {name: Survey(depths.get(name, Depth()), None) for name in queues}

    def dead_letters(self, queue_name: str | None = None, *, limit: int = 1000) -> list[DeadLetter]:
        """Return dead letters, newest first; of one queue, or of all."""
        return [each for each in self._holds.dead_letters() if queue_name in (None, each.queue)][:limit]

    def note_unrecorded(self, queues: Iterable[str], note: Callable[[DeadLetter], bool]) -> int:  # noqa: ARG002
        """Do nothing: there is no journal in a sandbox."""
        return 0

    def forget_dead_letters(self, queues: Iterable[str], belongs: Callable[[bytes], bool]) -> int:  # noqa: ARG002
        """Do nothing: a sandbox ends with its test."""
        return 0

    def close(self) -> None:
        """End the event loop of asynchronous actors, if they had one."""
        if self._asyncio is not None:
            self._asyncio.after_worker_shutdown(self, None)
            self._asyncio = None

    def _start_event_loop(self) -> None:
        if self._asyncio is None and get_event_loop_thread() is None:
            self._asyncio = AsyncIO()
            self._asyncio.before_worker_boot(self, None)
            if get_event_loop_thread() is None:  # no actor of this broker needs it
                self._asyncio = None

    def process(self, message: Message[Any]) -> End:
        """Run a message as Dramatiq's ``WorkerThread.process_message`` does."""
        delivery = Delivery(message, _Nowhere())
        self._outbox, self._delays = Outbox(self, key_of(delivery), message.encode()), []
        self._outbox.open()
        before_the_actor = 0
        result: Any = None
        raised: BaseException | None = None
        try:
            self.emit_before("process_message", delivery)
            self._outbox.begin_actor()
            before_the_actor = len(self._delays)
            if not delivery.failed:
                self._start_event_loop()
                result = self.get_actor(delivery.actor_name)(*delivery.args, **delivery.kwargs)
        except SkipMessage:
            if delivery.failed and delivery.given_up is None:
                delivery.give_up("skipped", {})
            self.emit_after("skip_message", delivery)
            return End(delivery, None, None, self._close(), skipped=True)
        except _FAILURES as error:
            # What a failed run has sent is sent by the next one.
            self._outbox.forget()
            del self._delays[before_the_actor:]
            raised = error
        except BaseException:  # Ctrl-C, or a test that fails itself: it goes on to pytest, and this run is over
            self._close()
            raise
        self.emit_after("process_message", delivery, result=result, exception=raised)
        return End(delivery, result, raised, self._close())

    def _close(self) -> Outgoing:
        outbox, self._outbox = self._outbox, None
        assert outbox is not None
        return [(Message.decode(each.body), delay) for each, delay in zip(outbox.close(), self._delays, strict=True)]


def _on_clock(middleware: Middleware, clock: Callable[[], float]) -> Middleware:
    """Let retries, deferrals and ages go by a given time."""
    return middleware.on_clock(clock) if isinstance(middleware, Retries | AgeLimit) else middleware
