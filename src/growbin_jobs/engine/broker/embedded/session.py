"""A process's session with the embedded broker's file: a thread with the connection, a process lock, wakeups."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import apsw
from dramatiq.common import current_millis
from dramatiq.errors import BrokerConnectionError, ConnectionClosed, ConnectionFailed

from growbin_jobs.engine.broker.embedded.queue import CLOCK_VARIES, EmbeddedQueue, EmbeddedStore, QueueUnavailable
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.delivery import PendingAck
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.native_logging import install_native_logging
from growbin_jobs.engine.node.process_lock import DeadProcess, ProcessLock, find_dead, known
from growbin_jobs.engine.node.wakeups import WakeupFifo
from growbin_jobs.engine.processes import watch_forks
from growbin_jobs.engine.sqlite.coalescer import Coalescer, Submit
from growbin_jobs.engine.sqlite.committer import Closed, Committer
from growbin_jobs.engine.sqlite.errors import VALUE_ERRORS, explain
from growbin_jobs.engine.sqlite.file_changes import FileChanges

logger = logging.getLogger(__name__)


class Settles(Protocol):
    """The consumer of a delivery."""

    def settle_in(self, queue: EmbeddedQueue, pending_ack: PendingAck) -> None:
        """Settle it inside a transaction."""

    def settled(self, pending_ack: PendingAck) -> None:
        """Note, in any thread, that the transaction is committed."""


class Entry(NamedTuple):
    """A delivery to be settled.

    Attributes:
      priorities: Of the messages in its outbox.
      consumer: Who delivered it.
      refuses: Put messages that SQLite cannot hold among the dead letters.
    """

    pending_ack: PendingAck
    priorities: Sequence[int]
    consumer: Settles
    refuses: bool = False


class Settlements(Coalescer[EmbeddedStore, Entry, None]):
    """The settlements of one process. A message that can never be stored becomes a dead letter and blocks no other.

    Parameters:
      submit: Runs a call in a transaction. On the disk before the journal deletes the outbox: after a power cut the
        broker must not know less than it.
    """

    def __init__(self, submit: Submit[EmbeddedStore]) -> None:
        super().__init__(submit, _settle, self._settled)

    def _settled(self, entry: Entry, error: BaseException | None, _result: None) -> None:
        pending_ack = entry.pending_ack
        if isinstance(error, VALUE_ERRORS) and not entry.refuses:
            self.add(entry._replace(refuses=True))
            return
        if error is None:
            for _message in pending_ack.outbox:
                crashpoint("publish.after")
            crashpoint("ack.after")
            entry.consumer.settled(pending_ack)
        pending_ack.then(pending_ack, error)


def put(queue: EmbeddedQueue, message: OutboxMessage, priority: int, *, now: int) -> None:
    """Put a message of an outbox into its queue; ``now`` in milliseconds."""
    due = now if message.due_at is None else max(now, int(message.due_at * 1000))
    queue.put(message.queue_name, message.message_id, message.body, priority=priority, due=due, now=now)


# --- in the thread of the transactions


def _settle(store: EmbeddedStore, entries: Sequence[Entry]) -> None:
    queue, now = store.queue, current_millis()
    for entry in entries:
        for message, priority in zip(entry.pending_ack.outbox, entry.priorities, strict=True):
            crashpoint("publish.before")
            (_put_or_refuse if entry.refuses else put)(queue, message, priority, now=now)
        crashpoint("ack.before")
        entry.consumer.settle_in(queue, entry.pending_ack)


def _put_or_refuse(queue: EmbeddedQueue, message: OutboxMessage, priority: int, *, now: int) -> None:
    try:
        put(queue, message, priority, now=now)
    except VALUE_ERRORS as error:
        reason = f"it cannot be stored ({type(error).__name__})"
        queue.refuse(message.queue_name, message.message_id, message.body, reason=reason, now=now)


def _let_go(dead: Sequence[DeadProcess], *, released: bool) -> None:
    for each in dead:
        if released:
            each.remove()
        else:
            each.release()  # to be found again


T = TypeVar("T")

#: Seconds between two looks for dead processes.
REAP_INTERVAL = 1.0

#: Looks for dead processes for each look for messages that nobody has woken us for: who brought them was killed before.
REAPS = 3


class EmbeddedSession:
    """Opens the file in a thread of its own. It ends by :meth:`close`, or when the file cannot be opened or is gone.

    Parameters:
      path: The file. Beside it, the folder ``{path}.run`` holds the locks and wakeups of the processes that use it.
    """

    def __init__(self, path: Path) -> None:
        install_native_logging()  # its thread logs
        run = path.with_name(path.name + ".run")
        self._path = path
        self._owners = run / "owners"
        self._wakeups = run / "wakeups"
        self._hanging: dict[WakeupFifo, str] = {}
        self._owner: ProcessLock | None = None
        self._owner_lock = threading.Lock()
        self._closed_consumers: set[str] = set()
        self._turn = 0
        self._clock_ahead = math.inf
        self._written = FileChanges.of_database(path)
        self._ending = False
        self._committer = Committer(lambda: EmbeddedStore(path, self._wakeups), ended=self.wake_all)
        self.settlements = Settlements(partial(self._committer.submit, durable=True))
        watch_forks(self)

    @property
    def closed(self) -> bool:
        """True when the file has to be opened anew. Everything that was claimed through this session is void then."""
        return self._ending or self._committer.closed

    def read(self, call: Callable[[EmbeddedQueue], T]) -> T:
        """Return the result of a call that only reads.

        Raises:
          QueueUnavailable: For now; its message says why.
          BrokerConnectionError: This session has ended.
        """
        with self._explained():
            return self._committer.read(lambda store: call(store.queue))

    def write(self, call: Callable[[EmbeddedQueue], T], *, durable: bool = False) -> T:
        """Return the result of a call once what it changed is committed; with ``durable``, once it is on the disk.

        Raises:
          QueueUnavailable: For now; its message says why.
          BrokerConnectionError: This session has ended.
        """
        with self._explained():
            return self._committer.write(lambda store: call(store.queue), durable=durable)

    def _in_thread(self, call: Callable[[], T]) -> T:
        """Touch files where it does not stop a hub."""
        with self._explained():
            return self._committer.read(lambda _: call())

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Closed as error:
            raise ConnectionClosed(  # type: ignore[no-untyped-call]
                f"The queue {self._path} is closed: {error}."
            ) from error
        except (apsw.Error, OSError) as error:
            kind = ConnectionFailed if self.closed else QueueUnavailable
            raise kind(f"The queue {self._path} cannot be used: {explain(error, self._path)}.") from error

    def owner(self) -> str:
        """Return this process's name in claims. From the first call on the others watch whether it lives."""
        with self._owner_lock:
            if self.closed:
                raise ConnectionClosed(f"The queue {self._path} is closed.")  # type: ignore[no-untyped-call]
            if self._owner is None:
                # The file may have come from elsewhere, with claims of processes that nobody here has heard of.
                self.write(lambda queue: [queue.release_owner(name) for name in queue.owners() - known(self._owners)])
                self._owner = self._in_thread(lambda: ProcessLock(self._owners))
            return self._owner.name

    def open_wakeup(self, queue_name: str) -> WakeupFifo:
        """Return a wakeup that rings when something comes into a queue."""
        wakeup = self._in_thread(lambda: WakeupFifo(self._wakeups, queue_name))
        if not self._hanging:
            self._committer.look_every(REAP_INTERVAL, self._look)
        self._hanging[wakeup] = queue_name
        return wakeup

    def close_wakeup(self, wakeup: WakeupFifo) -> None:
        """Close a wakeup."""
        self._hanging.pop(wakeup, None)
        wakeup.close()

    def wake_all(self) -> None:
        """Wake all consumers of this process; from any thread."""
        for wakeup in tuple(self._hanging):
            wakeup.wake()

    def release(self, consumer: str) -> None:
        """Give back what a closed consumer still has: now, or as soon as the file can be written again."""
        self._closed_consumers.add(consumer)
        with suppress(BrokerConnectionError):
            self._release_closed()

    def _release_closed(self) -> None:
        if consumers := tuple(self._closed_consumers):
            owner = self.owner()
            self.write(lambda queue: [queue.release_consumer(owner, consumer) for consumer in consumers])
            self._closed_consumers.difference_update(consumers)

    # --- in the thread, once a second while there are consumers

    def _look(self, store: EmbeddedStore) -> None:
        """Give back what dead processes have left and closed consumers could not, and wake whom nobody has woken.

        A consumer that is woken for nothing finds out what is wrong, and says it.
        """
        try:
            store.check()
            self._give_back()
            self._look_at_the_clock()
            self._turn += 1
            if self._turn % REAPS == 0 and self._written.any():
                self._wake_the_late(store.queue)
        except (apsw.Error, OSError):
            self._written.forget()
            self.wake_all()

    def _give_back(self) -> None:
        consumers, owner = tuple(self._closed_consumers), self._owner
        if consumers and owner is not None:
            self._committer.submit(
                lambda store: [store.queue.release_consumer(owner.name, consumer) for consumer in consumers],
                lambda error, _: None if error else self._closed_consumers.difference_update(consumers),
            )
        if dead := find_dead(self._owners):
            self._committer.submit(
                lambda store: [store.queue.release_owner(each.name) for each in dead],
                lambda error, _: _let_go(dead, released=error is None),
            )

    def _look_at_the_clock(self) -> None:
        """Have delays begin anew that a clock has put which was set back since: now, or while nobody was here."""
        ahead, before = time.time() - time.monotonic(), self._clock_ahead
        self._clock_ahead = ahead
        if ahead < before - CLOCK_VARIES / 1000:
            self._committer.submit(lambda store: store.queue.set_back(now=current_millis()), self._set_back)

    def _set_back(self, error: BaseException | None, delays: int | None) -> None:
        if error is not None:
            self._clock_ahead = math.inf  # at the next look again
        elif delays:
            logger.warning("embedded.clock_was_ahead messages=%d: their delays begin now", delays)

    def _wake_the_late(self, queue: EmbeddedQueue) -> None:
        now = current_millis()
        for wakeup, name in tuple(self._hanging.items()):
            due = queue.next_due(name)
            if due is not None and due <= now:
                wakeup.wake()

    def close(self) -> None:
        """Give back everything and end. May be called again."""
        self._ending = True  # from here on nothing is claimed
        for wakeup in list(self._hanging):
            self.close_wakeup(wakeup)
        with self._owner_lock:
            owner, self._owner = self._owner, None
        if owner:
            try:
                self.write(lambda queue: queue.release_owner(owner.name))
                owner.leave()
            except BrokerConnectionError:
                owner.let_go()  # the others give back what it had
        self._committer.close()

    # --- at a fork, see processes.py

    def pause(self) -> None:
        """Let the thread finish its batch and keep it from the next: a mutex that SQLite holds at the fork would stay
        locked in the child for ever."""
        self._committer.busy.acquire()

    def resume(self) -> None:
        """Let the thread go on."""
        self._committer.busy.release()

    def abandon(self) -> None:
        """Be closed, in the child, without a trace in the parent."""
        self._committer.abandon()
        for wakeup in self._hanging:
            wakeup.abandon()
        self._hanging.clear()
        if self._owner:
            self._owner.let_go()
            self._owner = None
        self._owner_lock = threading.Lock()
