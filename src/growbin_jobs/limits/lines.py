"""The callers of this process that wait for the same limits: first come, first served, and only the first one asks.

So a process puts one question to the store for each request that may go, however many of its threads wait.
"""

import threading
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Wakeup(Protocol):
    """What a caller waits at."""

    def wake(self) -> None:
        """End the wait, or the next one."""
        ...

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is woken, at most so many seconds; return False if it was not."""
        ...


class Place:
    """A caller's place in a line.

    Attributes:
      wakeup: Is called when the caller becomes the first.
    """

    def __init__(self, line: "_Line") -> None:
        self.wakeup: Wakeup | None = None
        self._line = line

    @property
    def is_first(self) -> bool:
        """Whether it is this caller's turn."""
        return self._line.is_first(self)

    def leave(self) -> None:
        """Let the next one have its turn; leaving twice is fine."""
        self._line.leave(self)

    def come_back(self) -> None:
        """Be the first again: its turn came to nothing."""
        self._line.come_back(self)


class Lines:
    """The lines of one process, by what is waited for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Hashable, _Line] = {}

    @contextmanager
    def joined(self, key: Hashable, *, first: bool = False) -> Iterator[Place]:
        """Stand in a line inside, at its end at first.

        Parameters:
          key: What is waited for.
          first: Stand before all others: its turn has come before.
        """
        with self._lock:
            line = self._lines.setdefault(key, _Line())
            line.users += 1
            place = line.join(first=first)
        try:
            yield place
        finally:
            place.leave()
            with self._lock:
                line.users -= 1
                if line.users == 0:  # limits of users come and go
                    del self._lines[key]


class _Line:
    def __init__(self) -> None:
        self.users = 0
        self._lock = threading.Lock()
        self._places: deque[Place] = deque()

    def join(self, *, first: bool) -> Place:
        place = Place(self)
        with self._lock:
            if first:
                self._places.appendleft(place)
            else:
                self._places.append(place)
        return place

    def is_first(self, place: Place) -> bool:
        with self._lock:
            return bool(self._places) and self._places[0] is place

    def leave(self, place: Place) -> None:
        with self._lock:
            if place not in self._places:
                return
            self._places.remove(place)
            wakeup = self._places[0].wakeup if self._places else None
        if wakeup is not None:
            wakeup.wake()

    def come_back(self, place: Place) -> None:
        with self._lock:
            if place not in self._places:
                self._places.appendleft(place)
