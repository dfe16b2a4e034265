"""Where actors wait in place for their turn at something that is limited, such as requests a minute.

Who waits here keeps its worker thread and its delivery: it is not put off, and comes to the broker's and the journal's
notice once. Its time limit stands still, and a worker that stops lets it go at once.

Only so many threads wait for the messages of one queue. When they do, the queue is narrowed in this process: another
message begins when one goes on, and the other queues have the other threads. Another one begins also for a message that
ends without having waited: it had no need to, since somebody has the answer already, or it failed before.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from dramatiq import Actor, Middleware, Worker
from dramatiq.broker import Broker
from dramatiq.middleware import CurrentMessage

from growbin_jobs.engine.delivery.runs import counted
from growbin_jobs.engine.errors import Returned, WorkerStopping
from growbin_jobs.engine.middleware.interrupts import Interrupts
from growbin_jobs.engine.pauses import Pauses

#: Seconds that a queue stays narrow when nobody waits any more: a message takes so long from its begin to its wait.
LINGERS = 5.0


class Wakeup:
    """Ends the wait of one caller. Called before the wait, it is not lost.

    Parameters:
      is_stopping: Whether the worker stops.
      message_id: Of the message that waits; None: none does.
    """

    def __init__(self, is_stopping: Callable[[], bool], message_id: str | None = None) -> None:
        self.message_id = message_id
        self._is_stopping = is_stopping
        self._event = threading.Event()

    def wake(self) -> None:
        """End the wait; from any thread."""
        self._event.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is woken.

        Parameters:
          seconds: At most so long; None: without end.

        Returns:
          False if it was not woken.

        Raises:
          WorkerStopping: The worker stops.
        """
        woken = self._event.wait(seconds)
        self._event.clear()
        if self._is_stopping():
            raise WorkerStopping
        return woken


class Running(NamedTuple):
    """The message that the caller runs.

    Attributes:
      message_id: Its id.
      queue: Its queue.
      retries: How often it was retried.
    """

    message_id: str
    queue: str
    retries: int


class WaitingRoom(Middleware):
    """See the module. One for each process; an engine has it as ``waiting_room``.

    Parameters:
      interrupts: Returns the clocks of time limits.
    """

    #: Outside of all others: a message that one of them does not let run has begun, and makes room for another one.
    position = -3

    def __init__(self, interrupts: Callable[[], Interrupts]) -> None:
        self._interrupts = interrupts
        self._pauses = Pauses()
        self._threads = 2
        self._stopping = False
        self._wakeups: set[Wakeup] = set()
        self._waiting: Counter[str] = Counter()
        self._narrowed: set[str] = set()
        self._let_pass: set[str] = set()
        self._choose_hooks_anew: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self._pauses = getattr(broker, "pauses", self._pauses)
        self._choose_hooks_anew = getattr(broker, "choose_hooks_anew", self._choose_hooks_anew)
        self._threads = worker.worker_threads
        self._stopping = False

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self._stopping = True
        for wakeup in tuple(self._wakeups):
            wakeup.wake()

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether runs concern it now (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return bool(self._narrowed)

    def before_process_message(self, broker: Broker, message: Any) -> None:
        queue = message.queue_name
        if queue not in self._narrowed:
            return
        with self._lock:
            if self._pauses.is_narrow(queue):
                self._let_pass.add(message.message_id)
            else:
                self._widened(queue)

    def after_process_message(
        self,
        broker: Broker,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        self._makes_room(message.queue_name, message.message_id)

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        self._makes_room(message.queue_name, message.message_id)

    def wake(self, message_ids: Collection[str]) -> None:
        """End the waits of messages that are aborted: what is raised in a thread arrives when it goes on."""
        for wakeup in tuple(self._wakeups):
            if wakeup.message_id in message_ids:
                wakeup.wake()

    def running(self) -> Running | None:
        """Return the message that the caller runs; None outside of a run."""
        message: Any = CurrentMessage.get_current_message()
        if message is None:
            return None
        return Running(message.message_id, message.queue_name, counted(message.options, "retries"))

    def no_wait(self) -> None:
        """Note that the caller had its turn at once: where nobody else waits either, its queue need not be narrow."""
        if self._pauses.any and (running := self.running()) is not None:
            with self._lock:
                if not self._waiting[running.queue] and self._pauses.is_narrow(running.queue):
                    self._pauses.widen(running.queue)
                    self._widened(running.queue)
            self._makes_room(running.queue, running.message_id)

    @contextmanager
    def waiting(self, share: float = 0.5) -> Iterator[Wakeup]:
        """Let the caller wait inside: its time limit stands still, and it counts among those that wait.

        Parameters:
          share: Part of the worker's threads that may wait for messages of this one's queue, at least one thread.

        Yields:
          What to wait at.

        Raises:
          Returned: The worker stops; or so many wait already, and this one had begun before they did.
        """
        running = self.running()
        wakeup = Wakeup(lambda: self._stopping, running.message_id if running is not None else None)
        most = max(1, int(self._threads * share))
        if running is not None:
            self._enter(running, most)
        left = self._interrupts().stand_still() if running else None
        self._wakeups.add(wakeup)
        try:
            if self._stopping:
                raise WorkerStopping
            yield wakeup
        finally:
            self._wakeups.discard(wakeup)
            if running is not None:
                self._leave(running.queue)
                self._interrupts().go_on(left)

    def _enter(self, running: Running, most: int) -> None:
        queue = running.queue
        with self._lock:
            # Its place is taken now, or too many were let pass: another one begins when somebody leaves.
            self._let_pass.discard(running.message_id)
            if self._waiting[queue] >= most:
                raise Returned("Enough threads wait for this queue.", reason="no_room")
            self._waiting[queue] += 1
            if self._waiting[queue] == most or self._pauses.is_narrow(queue):
                self._pauses.narrow(queue)
                self._narrowed.add(queue)
                if len(self._narrowed) == 1:
                    self._choose_hooks_anew()

    def _leave(self, queue: str) -> None:
        with self._lock:
            self._waiting[queue] -= 1
            if not self._stopping:  # nothing new begins in a worker that stops
                self._pauses.let_pass(queue)
            if self._waiting[queue] == 0 and self._pauses.is_narrow(queue):
                # The next one is on its way. Should it not have to wait, nobody would let another one pass.
                self._pauses.narrow(queue, LINGERS)

    def _makes_room(self, queue: str, message_id: str) -> None:
        """Let another message begin for one that was let pass and did not wait."""
        if message_id not in self._let_pass:
            return
        with self._lock:
            self._let_pass.discard(message_id)
            if not self._pauses.left(queue):  # who has paused it, such as for an outage, says who begins after that
                self._pauses.let_pass(queue)

    def _widened(self, queue: str) -> None:
        self._narrowed.discard(queue)
        if not self._narrowed:
            self._choose_hooks_anew()
