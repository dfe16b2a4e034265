"""The embedded broker: queues in one SQLite file that the processes of one machine share. No server.

A message is durable when ``send`` returns. A consumer claims it; the claim is void when its process dies (the kernel
tells, there is no timeout), and another process gets it. Delivery is at least once. Due times are kept in the file, so
there are no delay queues, and nothing waits in a worker's memory. Consumers sleep until a sender wakes them or a
message is due.

The lower priority number goes first, as everywhere in Dramatiq, and within a priority the message that was due first. A
message's own option ``broker_priority`` wins over its actor's ``priority``. (RabbitMQ's priorities run the other way.)

While a message waits in a queue, sending one of the same id to that queue changes nothing, unless that is its retry,
which takes its place. Once it is claimed, the same id may be sent again: that is how Dramatiq retries. Should the
process die between the retry and the acknowledgement, the retry is the one that stays.

The parts: ``queue`` is the SQL on the tables of ``schema`` and the open file, ``session`` a process's session with it
(a thread with the connection, ``wakeups``, a process lock) that settles finished messages together with what they have
sent, ``consumer`` what Dramatiq's worker iterates over, and ``claims`` what one consumer has claimed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dramatiq import Message, Middleware
from dramatiq.broker import MessageProxy
from dramatiq.common import current_millis
from dramatiq.errors import QueueJoinTimeout, QueueNotFound

from growbin_jobs.engine import events
from growbin_jobs.engine.broker.embedded.consumer import EmbeddedConsumer
from growbin_jobs.engine.broker.embedded.forgetting import forget_dead_letters
from growbin_jobs.engine.broker.embedded.own_errors import own_error_names
from growbin_jobs.engine.broker.embedded.queue import EmbeddedQueue
from growbin_jobs.engine.broker.embedded.session import EmbeddedSession, put
from growbin_jobs.engine.broker.embedded.surveying import survey
from growbin_jobs.engine.broker.port import DeadLetter, Depth, Survey
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.admission import admit, check_priority
from growbin_jobs.engine.delivery.delivery import Intake
from growbin_jobs.engine.delivery.due_time import delay_until_due
from growbin_jobs.engine.delivery.outbox import option, outbox_of
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.fast.hooks import FastHooks
from growbin_jobs.engine.processes import fork_lock, refuse_unseen_fork
from growbin_jobs.engine.sqlite.opening import check_sqlite
from growbin_jobs.engine.threads import NeverNested, gevent_active, refuse_late_patch

#: Dead letters that one transaction changes.
TIDY_BATCH = 500
#: Seconds between two looks of :meth:`EmbeddedBroker.join`.
JOIN_INTERVAL = 0.02
#: Dead letters that are read together; each may be as large as a message may be.
NOTED_AT_ONCE = 10


class EmbeddedBroker(FastHooks):
    """A Dramatiq broker on a SQLite file.

    It opens the file when it is first used, anew in each process: it may be made before a fork.

    Parameters:
      path: The file, on a local disk; made, with its folder, where it is missing.
      middleware: The ordered stack; None for Dramatiq's own.

    Attributes:
      intake: Is asked before messages are handed out, and shown them; set before a worker starts.

    Raises:
      ConfigurationError: If the SQLite library may corrupt a file that several processes write.
    """

    intake: Intake | None = None
    _patient = False

    def __init__(self, path: Path, middleware: list[Middleware] | None = None) -> None:
        super().__init__(middleware)
        check_sqlite()
        self._path = path
        self._greenlets, self._never_nested = gevent_active(), NeverNested()
        self._session: EmbeddedSession | None = None
        self._noted = 0

    def _hold(self) -> EmbeddedSession:
        refuse_unseen_fork()
        session = self._session
        if session and not session.closed:
            return session
        with fork_lock:
            session, ended = self._session, None
            if session is None or session.closed:
                session, ended = EmbeddedSession(self._path), session
                self._session = session
        if ended:
            ended.close()
        return session

    def declare_queue(self, queue_name: str) -> None:
        """Let this process's worker consume a queue. Sending to one needs no declaration."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30000) -> EmbeddedConsumer:
        """Return a consumer of a queue.

        Parameters:
          queue_name: A declared queue.
          prefetch: Messages it has at most that are not settled.
          timeout: Milliseconds that it waits for a message before it returns None.

        Raises:
          QueueNotFound: If the queue was not declared.
          BrokerConnectionError: If the file cannot be used; the message says why.
        """
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)  # type: ignore[no-untyped-call]
        return EmbeddedConsumer(
            self._hold(),
            queue_name,
            prefetch=prefetch,
            timeout=timeout,
            intake=self.intake,
            priority_of=self._priority_of,
            pauses=self.pauses,
            patient=lambda: self._patient,
        )

    def be_patient(self, patient: bool) -> None:
        """Let this process's idle consumers wait for longer than their timeouts, or not any more.

        Where only a message is of interest, they need not wake once a second to say that there is none.
        """
        self._patient = patient
        session = self._session
        if session is not None and not patient:
            session.wake_all()

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Put a message into its queue, known here or not; it is on the disk when this returns.

        Inside a message that a worker of this broker runs, it goes to that one's outbox instead.

        Parameters:
          message: Of a message id that waits in the queue already it is dropped, unless it is a retry of that one.
          delay: Milliseconds until it may be delivered.

        Raises:
          ValueError: It could never be delivered: see :func:`growbin_jobs.engine.delivery.admission.admit`.
          BrokerConnectionError: If the file cannot be used; the message says why.
          RuntimeError: A handler of a signal calls it in the middle of another call.
        """
        if isinstance(message, MessageProxy):  # a retry: it must not share its options with the delivery
            message = message.copy()
        if message.options and "eta" in message.options:
            delay = delay_until_due(message, delay)
        outbox = outbox_of(self)
        if outbox is not None:
            return outbox.take(message, delay)
        refuse_late_patch(self._greenlets)
        self.emit_before("enqueue", message, delay)
        crashpoint("producer.publish.before")
        body, now = admit(message, delay), current_millis()
        queue_name, message_id = message.queue_name, message.message_id
        priority = self._priority(message.actor_name, message.options.get("broker_priority"))
        due = now + max(0, int(delay or 0))

        def put(queue: EmbeddedQueue) -> object:
            return queue.put(queue_name, message_id, body, priority=priority, due=due, now=now)

        self._never_nested(lambda: self._hold().write(put, durable=True))
        crashpoint("producer.publish.after")
        if events.SENT.listeners:
            events.SENT.emit(message, bytes=len(body), delay_ms=delay or 0)
        self.emit_after("enqueue", message, delay)
        return message

    def forward(self, messages: Sequence[OutboxMessage]) -> list[Exception | None]:
        """Put messages of a journal into their queues, in order; it is on the disk when this returns. Fires no hooks.

        Returns:
          For each message None, or why it cannot be taken.

        Raises:
          BrokerConnectionError: If the file cannot be used; no message was taken.
        """
        taken: list[tuple[OutboxMessage, int]] = []
        outcomes: list[Exception | None] = []
        for message in messages:
            try:
                taken.append((message, self._priority_of(message)))
            except ValueError as error:
                outcomes.append(error)
            else:
                outcomes.append(None)

        def put_all(queue: EmbeddedQueue) -> None:
            for message, priority in taken:
                put(queue, message, priority, now=current_millis())

        self._hold().write(put_all, durable=True)
        return outcomes

    def _priority_of(self, message: OutboxMessage) -> int:
        return self._priority(message.task_name, option(message.body, "broker_priority"))

    def _priority(self, actor_name: str, priority: Any) -> int:
        if priority is None:
            actor = self.actors.get(actor_name)
            # An actor's own priority is any number; SQLite's end at 64 bits.
            return max(-(2**63), min(actor.priority, 2**63 - 1)) if actor else 0
        check_priority(priority)
        return int(priority)

    def flush(self, queue_name: str) -> None:
        """Drop what waits in a queue and its dead letters; what is being worked on stays."""
        self._hold().write(lambda queue: queue.flush(queue_name))

    def flush_all(self) -> None:
        """Flush all declared queues."""
        for queue_name in self.get_declared_queues():
            self.flush(queue_name)

    def join(self, queue_name: str, *, timeout: int | None = None) -> None:
        """Wait until a queue holds nothing, neither waiting nor delayed nor claimed, by any process.

        Parameters:
          queue_name: The queue.
          timeout: Milliseconds; None waits for ever.

        Raises:
          QueueJoinTimeout: After the timeout.
        """
        end = None if timeout is None else time.monotonic() + timeout / 1000
        while any(self.get_queue_message_counts(queue_name)[:2]):
            if end is not None and time.monotonic() >= end:
                raise QueueJoinTimeout(queue_name)  # type: ignore[no-untyped-call]
            time.sleep(JOIN_INTERVAL)

    def get_queue_message_counts(self, queue_name: str) -> tuple[int, int, int]:
        """Return how many messages are ready or claimed, delayed, and dead."""
        depth = self.depths().get(queue_name, Depth())
        return depth.ready + (depth.claimed or 0), depth.delayed or 0, depth.dead

    def depths(self, queues: Iterable[str] = ()) -> dict[str, Depth]:  # noqa: ARG002 the file lists all of them
        """Return the depth of each queue of the file that holds anything, declared here or not."""
        return self._hold().read(lambda queue: queue.depths())

    def survey(self, queues: Iterable[str]) -> dict[str, Survey]:
        """Return depth and age of queues; one that holds nothing is empty."""
        return self._hold().read(lambda queue: survey(queue, queues))

    def dead_letters(self, queue_name: str | None = None, *, limit: int = 1000) -> list[DeadLetter]:
        """Return the latest dead letters, newest first.

        Parameters:
          queue_name: Of this queue only; None for all queues of the file.
          limit: At most so many.
        """
        return self._hold().read(lambda queue: queue.dead_letters(queue_name, limit=limit))

    def waiting(self, after: int, *, limit: int) -> list[tuple[int, str, int, bytes]]:
        """Return messages that no worker has, in the order in which they were sent.

        Parameters:
          after: Number of the last one that was seen.
          limit: At most so many.

        Returns:
          Number, queue, when it is due in milliseconds since 1970, and body of each.
        """
        return self._hold().read(lambda queue: queue.waiting(after, limit=limit))

    def tidy_dead_letters(self, dealt_with: Mapping[str, float], *, before: float) -> int:
        """Delete the copies of dead letters that nobody needs any more, and texts that must not be kept.

        The journal's dead letters are what people see and deal with; those in this file are a second copy.

        Parameters:
          dealt_with: Ids of messages that were retried or discarded, and when, in seconds since 1970, UTC.
          before: Those that died before this time go too; seconds since 1970, UTC.

        Returns:
          How many dead letters were deleted.

        Raises:
          BrokerConnectionError: If the file cannot be used; the message says why.
        """
        hold, milliseconds = self._hold(), {key: int(at * 1000) for key, at in dealt_with.items()}
        while hold.write(lambda queue: queue.redact_dead_letters(own_error_names(), limit=TIDY_BATCH)) == TIDY_BATCH:
            pass
        deleted = hold.write(lambda queue: queue.forget_dead_letters(milliseconds)) if milliseconds else 0
        pruned = TIDY_BATCH
        while pruned == TIDY_BATCH:
            pruned = hold.write(lambda queue: queue.prune_dead_letters(before=int(before * 1000), limit=TIDY_BATCH))
            deleted += pruned
        return deleted

    def note_unrecorded(self, queues: Iterable[str], note: Callable[[DeadLetter], bool]) -> int:  # noqa: ARG002
        """Show dead letters that are no message, which no worker can have recorded; again after a restart.

        Parameters:
          note: Writes a letter down, and returns once it is on the disk: whether it was new.
        """
        noted = 0
        while letters := self._hold().read(lambda queue: queue.undecodable(self._noted, limit=NOTED_AT_ONCE)):
            for letter in letters:
                noted += note(letter)
                self._noted = letter.seq
        return noted

    def forget_dead_letters(self, queues: Iterable[str], belongs: Callable[[bytes], bool]) -> int:  # noqa: ARG002
        """Delete dead letters of any queue that a function picks by their encoded message; return how many."""
        return forget_dead_letters(self._hold(), belongs)

    def close(self) -> None:
        """Give back what this process has claimed and close the file. May be called again; the next use reopens it."""
        session, self._session = self._session, None
        if session:
            session.close()
