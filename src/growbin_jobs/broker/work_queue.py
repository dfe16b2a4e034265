"""What has been fetched and waits for a free thread or greenlet."""

from __future__ import annotations

import time
from bisect import insort
from collections import deque
from queue import SimpleQueue
from typing import Any


class WorkQueue:
    """A queue of Dramatiq's work items: lower priority number first, first in first out within one.

    It does what ``queue.PriorityQueue`` does for Dramatiq's worker. That one is written in Python, on a lock and three
    conditions; waking and waiting here is that of ``SimpleQueue``, in C, or gevent's own where gevent is.
    """

    def __init__(self) -> None:
        self._tickets: SimpleQueue[None] = SimpleQueue()  # one for each item, so that nobody looks in vain
        self._items: dict[int, deque[Any]] = {}
        self._priorities: list[int] = []
        self._unfinished: deque[None] = deque()

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
        items.append(item)
        self._unfinished.append(None)
        self._tickets.put(None)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the next item.

        Raises:
          Empty: If none comes in time (seconds).
        """
        self._tickets.get(block, timeout)
        while True:
            for priority in self._priorities:
                try:
                    return self._items[priority].popleft()
                except IndexError:
                    continue

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
        return self._tickets.qsize()

    def empty(self) -> bool:
        """Return whether none waits."""
        return self._tickets.empty()

    def join(self) -> None:
        """Wait until all are done; Dramatiq offers it to tests."""
        while self._unfinished:
            time.sleep(0.005)
