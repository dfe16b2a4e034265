"""Messages suspected of killing their worker run one after the other, so that the next crash tells which it is."""

from __future__ import annotations

import threading
import time
from enum import StrEnum
from typing import Protocol

from growbin_jobs.engine.delivery.records import TaskHistory

#: Seconds after which one that has not killed its worker no longer holds the next one up.
PATIENCE = 5.0


class Admission(StrEnum):
    """What becomes of a message that was running when its worker died."""

    RUN = "run"
    GIVE_UP = "give up"
    RETURN = "return"


class CrashPolicy(Protocol):
    """Decides about messages that were running when their worker died. The station ``start`` asks it."""

    def admit(self, holder: object, history: TaskHistory) -> Admission:
        """Decide about one, in the thread or greenlet that would run it; may wait.

        Parameters:
          holder: Stands for the delivery until :meth:`leave`.
          history: With its crashes.
        """

    def leave(self, holder: object) -> None:
        """Be told that a message of which the journal knew something has run, or is not run."""

    def close(self) -> None:
        """Let nobody wait any more: the worker stops."""


class CrashIsolation:
    """The one place in a process for a message that was running when its worker died.

    Of hundreds that run at the same time one may have killed the worker, and all are charged with it. Without this
    they would all be tried again together, and given up together.

    Parameters:
      max_crashes: A message that was running so many times in a row when its worker died is given up. All of them but
        one must be its own beyond doubt: nothing else that ran was under suspicion.
      patience: Seconds.
    """

    def __init__(self, max_crashes: int = 3, patience: float = PATIENCE) -> None:
        self._max_crashes = max_crashes
        self._patience = patience
        self._changed = threading.Condition()
        self._holder: object = None
        self._since = 0.0
        self._closed = False

    def admit(self, holder: object, history: TaskHistory) -> Admission:
        """Give up what has killed its worker too often; let the others run one after the other."""
        if history.crashes >= self._max_crashes and history.lone_crashes >= self._max_crashes - 1:
            return Admission.GIVE_UP
        return Admission.RUN if self.enter(holder) else Admission.RETURN

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
