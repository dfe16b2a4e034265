"""How often open pages are told of what is new: so seldom that their questions take a share of one core and no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: The share of a core that this process may take for open pages.
SHARE: Final = 0.35

#: Seconds between two tells.
SHORTEST, LONGEST = 1.0, 30.0

#: One correction: the pause becomes no more than so many times as long, and no less than so much of it.
_LONGER, _SHORTER = 3.0, 0.7


class Pace:
    """Finds the pause from what the process took since the last tell.

    Every page that is told asks anew, so twice the pause is half the work. What is not the pages' work counts too: a
    monitor that has other things to do tells less often.

    Parameters:
      cpu: Seconds of computing time that the process has taken.
      clock: Seconds that never go back.
    """

    def __init__(
        self, cpu: Callable[[], float] = time.process_time, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cpu, self._clock = cpu, clock
        self._seen = cpu(), clock()
        self.pause = SHORTEST

    @property
    def spread(self) -> float:
        """Return over how many seconds a tell is spread, so that not all pages ask at the same moment."""
        return self.pause - SHORTEST

    def correct(self) -> None:
        """Look at what was taken since the last time; call it once in a pause."""
        cpu, at = self._cpu(), self._clock()
        passed = at - self._seen[1]
        if passed <= 0.0:
            return
        busy = (cpu - self._seen[0]) / passed
        self._seen = cpu, at
        self.pause = min(LONGEST, max(SHORTEST, self.pause * min(_LONGER, max(_SHORTER, busy / SHARE))))
