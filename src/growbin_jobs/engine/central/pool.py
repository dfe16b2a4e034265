"""Who may use a connection now: a bounded pool that serves in the order of asking."""

import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

S = TypeVar("S")

#: Seconds that the first in the line waits for a connection in use, where nobody says otherwise.
#: A statement takes a few milliseconds, and opening a connection costs the server as much as twenty of them.
GROWS_AFTER: Final = 0.2


class Pool(Generic[S]):
    """At most ``size`` sessions in use at the same time; it neither opens nor closes them.

    A session that is given back goes straight to whoever has waited longest, so that nobody starves when a thousand
    greenlets share ten connections (a condition variable would let newcomers overtake). The most recently used one
    goes out first; the others grow idle.

    There are no more sessions than the work needs: where others are in use, their end is waited for, for
    ``grows_after`` seconds.

    Parameters:
      size: Sessions in use at the same time, at most.
      timeout: Seconds that :meth:`acquire` waits.
      grows_after: Seconds that the first in the line waits before it opens one more, and between two openings.
    """

    def __init__(self, size: int, timeout: float, *, grows_after: float = GROWS_AFTER) -> None:
        self._lock = threading.Lock()
        self._timeout = timeout
        self._grows_after = min(grows_after, timeout / 10)
        self._grown_at = 0.0
        self._size = self._free = size
        self._idle: list[S] = []
        self._waiting: deque[SimpleQueue[S | None]] = deque()

    def acquire(self) -> S | None:
        """Return an idle session, or None where the caller is to open one; every call needs its :meth:`release`.

        Raises:
          TimeoutError: If no other user gave one back in time.
        """
        with self._lock:
            if self._idle or self._free == self._size:
                self._free -= 1
                return self._idle.pop() if self._idle else None
            waiter: SimpleQueue[S | None] = SimpleQueue()
            self._waiting.append(waiter)
        try:
            return self._wait(waiter)
        except Empty:
            if self._leave(waiter):
                raise TimeoutError from None
            return waiter.get_nowait()  # handed over in the same instant
        except BaseException:
            # The time limit of an actor: what was handed over meanwhile must not be lost.
            if not self._leave(waiter):
                self.release(None if waiter.empty() else waiter.get_nowait())
            raise

    def release(self, session: S | None) -> None:
        """Give back what :meth:`acquire` gave: the session for the next user, or None where it was closed."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().put(session)
                return
            self._free += 1
            if session is not None:
                self._idle.append(session)

    def take_idle(self) -> list[S]:
        """Remove and return all idle sessions, for closing."""
        with self._lock:
            idle, self._idle = self._idle, []
            return idle

    def _wait(self, waiter: SimpleQueue[S | None]) -> S | None:
        """Return what was handed over, or None where it is time to open one more; raise Empty at the end."""
        end = time.monotonic() + self._timeout
        while True:
            left = max(0.0, end - time.monotonic())
            try:
                return waiter.get(timeout=min(left, self._grows_after) if self._free else left)
            except Empty:
                # Asked first: whoever was held up until the end finds a free place all the same.
                if self._may_open(waiter):
                    return None
                if time.monotonic() >= end:
                    raise

    def _may_open(self, waiter: SimpleQueue[S | None]) -> bool:
        with self._lock:
            now = time.monotonic()
            is_first = bool(self._waiting) and self._waiting[0] is waiter
            if not (is_first and self._free and now - self._grown_at >= self._grows_after):
                return False
            self._waiting.popleft()
            self._free -= 1
            self._grown_at = now
            return True

    def _leave(self, waiter: SimpleQueue[S | None]) -> bool:
        with self._lock:
            if waiter not in self._waiting:
                return False
            self._waiting.remove(waiter)
            return True
