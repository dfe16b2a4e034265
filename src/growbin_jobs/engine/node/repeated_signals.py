"""Makes one signal of several that come at once: a process group is told together, and by its parent once more.

Who signals a whole group (``tini -g``, a container's runtime, ``kill -- -PGID``) reaches Dramatiq's workers twice: by
the group, and by Dramatiq's own process, which passes on what it gets. Dramatiq takes the second one for impatience
and ends without finishing. So what comes within a moment of a signal counts as the same one. Standard library only.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

#: Seconds within which signals count as one.
MOMENT = 1.0

#: What Dramatiq's workers stop at.
STOPS = (signal.SIGTERM, signal.SIGHUP)


class Once:
    """Tells the first of several signals from those that come with it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = -MOMENT

    def counts(self) -> bool:
        """Return True unless one that counts was here less than a moment ago."""
        now = self._clock()
        if now - self._last < MOMENT:
            return False
        self._last = now
        return True


def ignore_repeated_stops() -> None:
    """Let this process's handlers of stop signals see one where several come at once; in its main thread only."""
    if threading.current_thread() is not threading.main_thread():
        return
    once = Once()
    for signum in STOPS:
        handler = signal.getsignal(signum)
        if callable(handler):
            signal.signal(signum, _seldom(handler, once))


def is_kept_from_hangups(signum: int) -> bool:
    """Return True for a hangup that whoever started this process has it ignore, as ``nohup`` does."""
    return signum == signal.SIGHUP and signal.getsignal(signum) == signal.SIG_IGN


def _seldom(handler: Callable[[int, Any], Any], once: Once) -> Callable[[int, Any], Any]:
    def told(signum: int, frame: Any) -> Any:
        return handler(signum, frame) if once.counts() else None

    return told
