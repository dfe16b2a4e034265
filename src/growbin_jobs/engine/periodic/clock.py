"""Notices that the system's clock was set."""

from __future__ import annotations

import time


class ClockWatch:
    """Compares the wall clock with the monotonic one.

    Parameters:
      tolerance: Seconds by which the wall clock may be set before :meth:`was_set` says so.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._offset = _offset()

    def was_set(self) -> bool:
        """Return True once for each time that the clock was set by more than the tolerance."""
        offset = _offset()
        if abs(offset - self._offset) <= self._tolerance:
            return False
        self._offset = offset
        return True


def _offset() -> float:
    return time.time() - time.monotonic()
