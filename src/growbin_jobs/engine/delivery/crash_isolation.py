"""Messages suspected of killing their worker run one after the other, so that the next crash tells which it is."""

from __future__ import annotations

import threading
import time

#: Seconds after which one that has not killed its worker no longer holds the next one up.
PATIENCE = 5.0


class CrashIsolation:
    """The one place in a process for a message that was running when its worker died.

    Of hundreds that run at the same time one may have killed the worker, and all are charged with it. Without this
    they would all be tried again together, and given up together.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._changed = threading.Condition()
        self._holder: object = None
        self._since = 0.0
        self._closed = False

    def enter(self, holder: object) -> bool:
        """Wait for the place and take it. Returns False if the worker stops meanwhile: do not run."""
        with self._changed:
            while not self._closed and self._holder is not None:
                left = self._since + self._patience - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            self._holder, self._since = holder, time.monotonic()
            return not self._closed

    def leave(self, holder: object) -> None:
        """Free the place, if it is still the holder's."""
        with self._changed:
            if self._holder is holder:
                self._holder = None
                self._changed.notify()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
