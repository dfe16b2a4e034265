"""Exponential back-off: how long to wait before the next try of something that failed.

The unit is the caller's: seconds in, seconds out; milliseconds in, milliseconds out.
"""

from __future__ import annotations

import math
import random

#: A pause is taken times a random number of this range, so that many who failed together do not come back together.
NO_JITTER = (1.0, 1.0)

#: ``first * 2**64`` is beyond any last pause; more doublings would only overflow.
_MOST_DOUBLINGS = 64


def pause_after(failures: int, first: float, last: float, jitter: tuple[float, float] = NO_JITTER) -> float:
    """Return how long to wait after a failure: ``first`` doubled for each failure before it, at most ``last``.

    Parameters:
      failures: How many failures there were before this one.
      first: Pause after the first failure, before jitter.
      last: Longest pause, before jitter.
      jitter: Range of the random factor.

    Raises:
      ValueError: A pause or factor is negative or not finite.
    """
    if not all(0 <= value < math.inf for value in (first, last, *jitter)):  # nan is refused, too
        raise ValueError(f"Pauses and jitter must be finite and not negative: {first}, {last}, {jitter}.")
    pause = float(min(first * 2 ** min(max(failures, 0), _MOST_DOUBLINGS), last))
    return pause if jitter == NO_JITTER else pause * random.uniform(*jitter)  # noqa: S311


class Backoff:
    """The pauses of one thing that is tried until it succeeds. Not for several threads at once.

    Attributes:
      failures: Failures since the last success.

    Parameters:
      first: Pause after the first failure, before jitter.
      last: Longest pause, before jitter.
      jitter: Range of the random factor.

    Raises:
      ValueError: A pause or factor is negative or not finite.
    """

    __slots__ = ("_first", "_jitter", "_last", "failures")

    def __init__(self, first: float, last: float, jitter: tuple[float, float] = NO_JITTER) -> None:
        pause_after(0, first, last, jitter)  # refuses wrong values here and not at the first failure
        self._first = first
        self._last = last
        self._jitter = jitter
        self.failures = 0

    def failed(self) -> float:
        """Count a failure and return how long to wait before the next try."""
        pause = pause_after(self.failures, self._first, self._last, self._jitter)
        self.failures += 1
        return pause

    def reset(self) -> bool:
        """Start again from the first pause. Return whether there had been failures."""
        had_failed = self.failures > 0
        self.failures = 0
        return had_failed
