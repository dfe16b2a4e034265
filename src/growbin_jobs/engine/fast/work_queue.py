"""A faster work queue between consumers and worker threads."""

from __future__ import annotations

import logging
import math
import threading
import time
from bisect import insort
from collections import deque
from collections.abc import Callable
from queue import Empty
from typing import Any, Final

#: Seconds that an idle worker sleeps where nothing but an item may interest it. 1000 greenlets that look each second,
#: as Dramatiq lets them, keep a fiftieth of a core busy for nothing.
PATIENCE: Final = 300.0


class WorkQueue:
    """A queue of Dramatiq's work items: lower priority number first, first in first out within one.

    It does what ``queue.PriorityQueue`` does for Dramatiq's worker. That one is written in Python, on a lock and three
    conditions, and wakes a worker for each item. Here one worker at a time is on its way: it takes an item and wakes
    the next one if there are more. So quick tasks are run in turn by the few who are awake, which saves most of the
    switches between greenlets, and slow ones soon have everybody awake.

    No locks guard it: each step on a deque, list or dict is atomic in CPython. Who brings an item looks for waiters
    after that, who begins to wait looks for items after that, and who was woken says so before it looks.

    Attributes:
      patient: Whoever waits may wait longer than asked (:data:`PATIENCE`), since only an item is of interest.
    """

    def __init__(self) -> None:
        self.patient = False
        self._items: dict[int, deque[Any]] = {}
        self._priorities: list[int] = []
        self._unfinished: deque[None] = deque()
        self._waiters: dict[threading.Lock, bool] = {}
        self._coming = False  # somebody was woken who has not looked yet

    @property
    def unfinished_tasks(self) -> int:
        """How many were put and not reported done."""
        return len(self._unfinished)

    def put(self, item: Any) -> None:
        """Add an item."""
        items = self._items.get(item.priority)
        if items is None:
            items = self._items.setdefault(item.priority, deque())
            if item.priority not in self._priorities:
                insort(self._priorities, item.priority)
        self._unfinished.append(None)
        items.append(item)
        if self._waiters and not self._coming:
            self._wake()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the next item.

        Parameters:
          timeout: Seconds to wait for one, at least; None: for ever.

        Raises:
          Empty: If none comes in time.
        """
        item = self._take()
        if item is None:
            if not block:
                raise Empty
            item = self._wait(timeout)
        return item

    def get_nowait(self) -> Any:
        """Take the next item.

        Raises:
          Empty: If there is none.
        """
        return self.get(block=False)

    def task_done(self) -> None:
        """Report one as done."""
        self._unfinished.pop()

    def qsize(self) -> int:
        """Return how many wait."""
        return sum(map(len, tuple(self._items.values())))

    def waiting(self, limit: int) -> list[Any]:
        """Return the first items that wait, at most so many, and leave them where they are."""
        found: list[Any] = []
        for items in [self._items[priority] for priority in tuple(self._priorities)]:
            found += list(items)[: limit - len(found)]
        return found

    def withdraw(self, wanted: Callable[[Any], bool], most: int) -> list[Any]:
        """Take out the newest items of a kind, at most so many.

        Parameters:
          wanted: Asked about items that nobody else can take meanwhile.
        """
        found: list[Any] = []
        for priority in reversed(tuple(self._priorities)):
            items, others = self._items[priority], list[Any]()
            while len(found) < most and items:
                try:
                    item = items.pop()
                except IndexError:  # a worker was faster
                    break
                (found if wanted(item) else others).append(item)
            items.extend(reversed(others))
        for _ in found:
            self.task_done()
        if self._waiters and not self._coming and not self.empty():  # one may have looked while others were out
            self._wake()
        return found

    def empty(self) -> bool:
        """Return whether none waits."""
        return not any(tuple(self._items.values()))

    def hurry(self) -> None:
        """Let nobody wait longer than asked any more: there is something else to look at."""
        self.patient = False
        self._rouse()

    def join(self) -> None:
        """Wait until all are done; Dramatiq offers it to tests."""
        while self._unfinished:
            time.sleep(0.005)

    def _take(self) -> Any:
        for priority in self._priorities:
            try:
                return self._items[priority].popleft()
            except IndexError:
                continue
        return None

    def _wait(self, timeout: float | None) -> Any:
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            wakeup = threading.Lock()
            wakeup.acquire()
            self._waiters[wakeup] = False
            item = self._take()  # it may have come before anybody could see us wait
            if item is None:
                wakeup.acquire(timeout=-1 if end == math.inf else self._seconds(max(end - time.monotonic(), 0.0)))
            if self._waiters.pop(wakeup, True):  # it was released, maybe just when the time was up
                self._coming = False
                item = self._take() if item is None else item
                if item is not None and self._waiters and not self.empty():
                    self._wake()
            if item is not None:
                return item
            if time.monotonic() >= end:
                raise Empty

    def _seconds(self, left: float) -> float:
        """Return for how long to wait where so many seconds were asked for."""
        return max(left, PATIENCE) if self.patient else left

    def _rouse(self) -> None:
        """Wake all who wait; they wait anew unless their time is up."""
        for wakeup in tuple(self._waiters):
            if self._waiters.pop(wakeup, True) is False:
                wakeup.release()

    def _wake(self) -> None:
        self._coming = True  # two may both come here and wake two
        try:
            wakeup, _ = self._waiters.popitem()
        except KeyError:
            self._coming = False
        else:
            wakeup.release()


class QueuedMessage:
    """What a worker thread takes: Dramatiq's own item without the time of its arrival, which our queue does not need.

    Attributes:
      priority: Of the actor.
      message: The delivery.
    """

    __slots__ = ("message", "priority")

    def __init__(self, priority: int, message: Any) -> None:
        self.priority = priority
        self.message = message


def hand_over_quickly(broker: Any, thread: Any) -> None:
    """Let Dramatiq's consumer thread put messages without options, of actors that it knows, straight into the queue.

    All others go Dramatiq's way: those with an ``eta``, and those of whose actor nobody knows. So do all where its
    debug lines are wanted.
    """
    if thread.logger.isEnabledFor(logging.DEBUG):
        return
    handle, actors, put = thread.handle_message, broker.actors, thread.work_queue.put

    def handle_message(message: Any) -> None:
        actor = actors.get(message.actor_name)
        if actor is None or message.options:
            handle(message)
        else:
            put(QueuedMessage(actor.priority, message))

    thread.handle_message = handle_message


def look_for_delayed_only_where_there_are_any(thread: Any) -> None:
    """Spare Dramatiq's consumer thread its look for delayed messages after each one, an exception behind three locks.

    Our brokers hold them themselves; only what is too large to be sent again is delayed in a worker.
    """
    handle = thread.handle_delayed_messages
    thread.handle_delayed_messages = lambda: thread.delay_queue.queue and handle()
