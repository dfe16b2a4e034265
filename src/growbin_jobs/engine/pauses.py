"""Queues that this process takes nothing from for now.

A queue may be paused for several causes at once, each until a moment or until it is resumed. Its messages stay with the
broker, but for those that were fetched already: they wait in the worker's memory and are not delivered twice.

A queue may also be narrowed: it is fetched from as ever, and its messages run one by one, as they are let pass. And an
actor may be paused, while the others of its queue go on.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple


class _Narrow(NamedTuple):
    """A narrowed queue: messages that may begin, and until when it is narrow."""

    passes: int
    until: float


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
        self._narrow: dict[str, _Narrow] = {}
        self._actors: set[str] = set()
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

    def left(self, queue: str, cause: str | None = None) -> float:
        """Return the seconds for which a queue is still paused, or is for one cause; 0: it is not."""
        if queue not in self._until:
            return 0.0
        with self._lock:
            return self._left(queue, cause)

    def narrow(self, queue: str, seconds: float = math.inf, *, passes: int | None = None) -> None:
        """Let no message of a queue begin until it is let pass.

        Parameters:
          queue: Its name.
          seconds: How long from now, whatever was said before; without it until :meth:`widen`.
          passes: Messages that may begin all the same; None: those that were let pass and have not begun.
        """
        with self._lock:
            if passes is None:
                passes = self._narrow[queue].passes if queue in self._narrow else 0
            self._narrow[queue] = _Narrow(passes, self._clock() + seconds)
            self.any = True
        self._tell()

    def is_narrow(self, queue: str) -> bool:
        """Return whether messages of a queue begin one by one."""
        with self._lock:
            return self._narrow_now(queue) is not None

    def let_pass(self, queue: str) -> None:
        """Let one more message of a narrowed queue begin."""
        with self._lock:
            if narrow := self._narrow_now(queue):
                self._narrow[queue] = narrow._replace(passes=narrow.passes + 1)
        self._tell()

    def widen(self, queue: str) -> None:
        """Let the messages of a queue begin as ever."""
        with self._lock:
            self._narrow.pop(queue, None)
            self._look()
        self._tell()

    def may_begin(self, queue: str, *, begins: bool = False) -> bool:
        """Return whether a message of a queue may begin now.

        Parameters:
          queue: Its name.
          begins: It does: where it was let pass, the next one is not.
        """
        with self._lock:  # over both: who is let pass after a pause must not be taken for one that began before it
            if self._left(queue):
                return False
            narrow = self._narrow_now(queue)
            if narrow is None:
                return True
            if narrow.passes and begins:
                self._narrow[queue] = narrow._replace(passes=narrow.passes - 1)
            return narrow.passes > 0

    def pause_actor(self, actor: str) -> None:
        """Let no message of an actor begin until :meth:`resume_actor`; the other actors of its queue go on."""
        with self._lock:
            self._actors.add(actor)
            self.any = True
        self._tell()

    def resume_actor(self, actor: str) -> None:
        """End an actor's pause."""
        with self._lock:
            self._actors.discard(actor)
            self._look()
        self._tell()

    def is_actor_paused(self, actor: str) -> bool:
        """Return whether no message of an actor may begin."""
        return actor in self._actors

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

    def _left(self, queue: str, cause: str | None = None) -> float:
        causes, now = self._until.get(queue), self._clock()
        if causes is None:
            return 0.0
        if max(causes.values(), default=0.0) <= now:
            self._forget(queue)
            return 0.0
        until = max(causes.values()) if cause is None else causes.get(cause, 0.0)
        return max(until - now, 0.0)

    def _forget(self, queue: str) -> None:
        self._until.pop(queue, None)
        self._look()

    def _narrow_now(self, queue: str) -> _Narrow | None:
        narrow = self._narrow.get(queue)
        if narrow is not None and self._clock() >= narrow.until:
            del self._narrow[queue]
            self._look()
            return None
        return narrow

    def _look(self) -> None:
        self.any = bool(self._until or self._narrow or self._actors)

    def _tell(self) -> None:
        for told in tuple(self._watchers):
            told()
