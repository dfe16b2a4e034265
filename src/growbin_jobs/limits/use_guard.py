"""The guard that refuses nothing and counts what the limits granted; it is asked after the one that grants."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from growbin_jobs.adapters.llm.guards import Held, PlannedRequest
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.limits.afterwards import at_once
from growbin_jobs.limits.minutes import UseLog
from growbin_jobs.limits.named import NamedLimits, costs

logger = logging.getLogger(__name__)

#: Seconds between two writings while requests are under way.
_PAUSE: Final = 5.0

#: Counts that wait for a log that cannot be written; beyond, they are dropped.
_MOST_KEPT: Final = 10_000


class UseGuard:
    """See :class:`growbin_jobs.adapters.llm.guards.Guard`.

    Counts are written when a request has ended, never between a grant and its sending: at once when no other is under
    way in this process, else every few seconds. A log that fails costs no answer.

    Parameters:
      limits: Which limits a request takes.
      logs: Where the counts are kept.
      clock: Seconds since 1970.
      later: Does what no caller need wait for; see :mod:`growbin_jobs.limits.afterwards`.
    """

    def __init__(
        self,
        limits: NamedLimits,
        logs: Sequence[UseLog],
        *,
        clock: Callable[[], float] = time.time,
        later: Callable[[Callable[[], object]], object] = at_once,
    ) -> None:
        self._limits = limits
        self._later = later
        self._waiting = [(log, Counter[tuple[int, str]]()) for log in logs]
        self._clock = clock
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._under_way = 0
        self._written_at = 0.0
        self._is_due = False

    def admit(self, request: PlannedRequest) -> Held:
        """Count a request in all its limits."""
        minute = int(self._clock() // 60) * 60
        units = {(minute, name): round(cost) for name, cost in costs(request, self._limits).items()}
        self._count(units, +1)
        return _Counted(self, units)

    def flush(self) -> None:
        """Write what is counted, where no other thread does."""
        self._is_due = False  # before the counts are looked at: who counts from now on asks for another writing
        if not self._writing.acquire(blocking=False):
            return
        try:
            self._written_at = self._clock()
            for log, waiting in self._waiting:
                with self._lock:
                    counts = +waiting
                    waiting.clear()
                if counts:
                    self._write(log, waiting, counts)
        finally:
            self._writing.release()

    def ended(self, units: dict[tuple[int, str], int], *, sent: bool) -> None:
        """Note the end of a request; one that was not sent does not count."""
        self._count({} if sent else {key: -number for key, number in units.items()}, -1)
        with self._lock:
            is_due = not self._is_due and (self._under_way == 0 or self._clock() - self._written_at >= _PAUSE)
            self._is_due |= is_due
        if is_due:
            self._later(self.flush)

    def _count(self, units: dict[tuple[int, str], int], change: int) -> None:
        with self._lock:
            self._under_way += change
            for _, waiting in self._waiting:
                waiting.update(units)

    def _write(self, log: UseLog, waiting: Counter[tuple[int, str]], counts: Counter[tuple[int, str]]) -> None:
        try:
            log.add(counts)
        except Exception as error:
            logger.warning("limits.use_not_kept log=%s reason=%s", type(log).__name__, type(error).__name__)
            with self._lock:
                if len(waiting) < _MOST_KEPT:
                    waiting.update(counts)


class _Counted:
    def __init__(self, guard: UseGuard, units: dict[tuple[int, str], int]) -> None:
        self._guard = guard
        self._units = units

    def release(self) -> None:
        self._guard.ended(self._units, sent=False)

    def settle(self, record: ModelRequest, failure: BaseException | None) -> None:  # noqa: ARG002
        self._guard.ended(self._units, sent=True)
