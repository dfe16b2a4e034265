"""How long to wait for another process's transaction: in short steps, and less where a person waits for the answer."""

from __future__ import annotations

import math
import random
import time
from typing import Final

from growbin_jobs.engine.threads import native

#: Seconds that a process waits for locks in all which only reads, and for whose answer a person waits.
BRIEFLY: Final = 3.0

#: Seconds that it still waits once these are over: for one that writes right now.
_A_MOMENT: Final = 0.1

_left = math.inf


def wait_briefly() -> None:
    """Let this process wait for locks for :data:`BRIEFLY` in all: it only reads, and whoever asked can ask again."""
    global _left
    _left = BRIEFLY


class Patience:
    """Waits for another process's transaction in short steps.

    SQLite's own wait grows to 100 ms a step: whoever waits longest asks least often. With steps of 0.5 to 3 ms the
    slowest of 4,000 sends from 4 processes took about 55 ms instead of 250, at a higher rate.

    Parameters:
      seconds: That a statement waits at most.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = 0.0
        self._sleep = native("time", "sleep")

    def begin(self) -> None:
        """Let the time run from now on."""
        self._end = time.monotonic() + min(self._seconds, max(_left, _A_MOMENT))

    def wait(self, waits_before: int) -> bool:
        """Sleep and return True, or return False when it has taken too long. The time begins with the first wait."""
        global _left
        if waits_before == 0:
            self.begin()
        if time.monotonic() >= self._end:
            return False
        step = random.uniform(0.0005, 0.003)  # noqa: S311 no secret
        step = step if waits_before < 500 else 10 * step
        self._sleep(step)
        _left -= step
        return True
