"""Queues that this process takes nothing from for now.

A queue may be paused for several causes at once, each until a moment or until it is resumed. Its messages stay with the
broker, but for those that were fetched already: they wait in the worker's memory and are not delivered twice.

A queue may also be narrowed: it is fetched from as ever, and its messages run one by one, as they are let pass.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress


class Pauses:
    """The paused queues of one process; each broker has one. Safe from any thread.

    Attributes:
      any: False while nothing is paused. Who takes messages asks this first: it is one attribute.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.any = False
        self._clock = clock
        self._until: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()
        self._passes: dict[str, int] = {}
        self._watchers: list[Callable[[], object]] = []

    def pause(self, queue: str, cause: str, seconds: float = math.inf) -> bool:
        """Take nothing from a queue for so long; a pause only grows until it is resumed.

        Parameters:
          queue: Its name.
          cause: Whose pause it is.
          seconds: How long; without it until :meth:`resume`.

        Returns:
          False if it was paused for this cause already.
        """
        with self._lock:
            causes, now = self._until.setdefault(queue, {}), self._clock()
            before = causes.get(cause, 0.0)
            causes[cause] = max(before, now + seconds)
            self.any = True
        self._tell()
        return before <= now

    def resume(self, queue: str, cause: str) -> None:
        """End a queue's pause for one cause; the others last."""
        with self._lock:
            causes = self._until.get(queue, {})
            causes.pop(cause, None)
            if not causes:
                self._forget(queue)
        self._tell()

    def left(self, queue: str) -> float:
        """Return the seconds for which a queue is still paused; 0: it is not."""
        causes = self._until.get(queue)
        if causes is None:
            return 0.0
        with self._lock:
            left = max(causes.values(), default=0.0) - self._clock()
            if left > 0:
                return left
            if self._until.get(queue) is causes:
                self._forget(queue)
        return 0.0

    def narrow(self, queue: str) -> bool:
        """Let no message of a queue begin until it is let pass. Returns False if that was so already."""
        with self._lock:
            if queue in self._passes:
                return False
            self._passes[queue] = 0
            self.any = True
        self._tell()
        return True

    def let_pass(self, queue: str) -> None:
        """Let one more message of a narrowed queue begin."""
        with self._lock:
            if queue in self._passes:
                self._passes[queue] += 1
        self._tell()

    def widen(self, queue: str) -> None:
        """Let the messages of a queue begin as ever."""
        with self._lock:
            self._passes.pop(queue, None)
            self.any = bool(self._until or self._passes)
        self._tell()

    def may_begin(self, queue: str, *, begins: bool = False) -> bool:
        """Return whether a message of a queue may begin now.

        Parameters:
          begins: It does: where it was let pass, the next one is not.
        """
        if self.left(queue):
            return False
        with self._lock:
            passes = self._passes.get(queue)
            if passes is None:
                return True
            if passes and begins:
                self._passes[queue] = passes - 1
            return passes > 0

    def causes(self) -> dict[str, dict[str, float]]:
        """Return for each paused queue the causes, each with the seconds that are left."""
        with self._lock:
            now = self._clock()
            left = {queue: {why: until - now for why, until in each.items()} for queue, each in self._until.items()}
        return {queue: lasting for queue, each in left.items() if (lasting := {w: s for w, s in each.items() if s > 0})}

    def watch(self, told: Callable[[], object]) -> Callable[[], None]:
        """Call a function, which does not block, after each pause and resume; the end of a time is not told.

        Returns:
          What ends it.
        """
        self._watchers.append(told)

        def unwatch() -> None:
            with suppress(ValueError):
                self._watchers.remove(told)

        return unwatch

    def _forget(self, queue: str) -> None:
        self._until.pop(queue, None)
        self.any = bool(self._until or self._passes)

    def _tell(self) -> None:
        for told in tuple(self._watchers):
            told()
