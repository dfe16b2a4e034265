"""Tells a consumer whether its tasks are quick: then what it may fetch decides how many run, and it may fetch more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.lifecycle import RECEIVED
from growbin_jobs.engine.fast.work_queue import WorkQueue

#: Seconds that a message of quick tasks waits for a worker thread at most.
PATIENCE = 0.5

#: Seconds until tasks that were not quick may be so again.
PAUSE = 10.0

#: Bytes of a message that is too large for many of them to be held.
LARGE = 16_384


class QuickTasks:
    """What one consumer learns of its tasks.

    They are quick when the worker has nothing to run while all that the consumer may have waits for acknowledgements,
    that is for commits and confirms, which take as long for many as for one. They are not when a message waits long
    for a thread, or is large.

    Parameters:
      work_queue: Returns that of the worker.
      clock: Returns monotonic seconds.

    Attributes:
      quick: Whether they are.
    """

    def __init__(self, work_queue: Callable[[], WorkQueue], clock: Callable[[], float] = time.monotonic) -> None:
        self._work_queue = work_queue
        self._clock = clock
        self.quick = False
        self._not_before = 0.0
        self._newest: Delivery | None = None
        self._handed_over_at = 0.0

    def waited(self) -> None:
        """Note that a consumer had all that it may have, and has waited until the first of it was acknowledged."""
        # What is held back during a pause is something to run, too. Once is enough: some hundred have run by then, and
        # what turns out to be slow is given back.
        if not self._work_queue().qsize() and self._clock() >= self._not_before:
            self.quick = True

    def held_up(self) -> None:
        """Note that nothing is handed to the worker for now, whatever its tasks are."""
        self._slow(self._clock())

    def handed_over(self, deliveries: Sequence[Delivery]) -> None:
        """Note what is handed to the worker now; nothing: a moment to look at what was handed over before."""
        now, newest = self._clock(), self._newest
        if newest is not None and newest.life is not None and newest.life.state is RECEIVED:
            if now - self._handed_over_at >= PATIENCE:
                self._slow(now)
        elif deliveries:
            self._newest, self._handed_over_at = deliveries[-1], now
        else:
            self._newest, self.quick = None, False  # nothing is left: the next ones may be others
        if self.quick and any(len(each.body) > LARGE for each in deliveries):
            self._slow(now)

    def take_back(self, may_leave: Callable[[Delivery], bool], most: int) -> list[Any]:
        """Take from the worker the newest messages that it has not begun.

        Parameters:
          may_leave: Says whether one may be taken; it is out of the worker's reach by then.
          most: So many at most.

        Returns:
          Those deliveries.
        """
        return [item.message for item in self._work_queue().withdraw(lambda item: may_leave(item.message), most)]

    def _slow(self, now: float) -> None:
        self.quick = False
        self._not_before = now + PAUSE
