"""One process of a supervisor: what it runs, whether it works, and when it is started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence

from growbin_jobs.engine.backoff import Backoff
from growbin_jobs.engine.supervision.forking import ForkedProcess
from growbin_jobs.engine.supervision.ready import READY

#: A child that ends so often without having worked at all will not work the next time either.
FAILED_STARTS = 5

#: Seconds of work after which an end is no reason to wait with the next start.
STEADY_AFTER = 5.0

FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0


class Child:
    """A command that is kept running.

    Parameters:
      name: For people.
      command: See :class:`~growbin_jobs.engine.supervision.supervisor.Supervisor`.
      essential: Whether there is no point in going on without it.

    Attributes:
      process: While it runs or is to be forked, and until its end was noticed.
      restart_at: Monotonic time of its next start, when it does not run.
      ready: It works.
    """

    def __init__(self, name: str, command: Sequence[str], essential: bool = True) -> None:
        self.name = name
        self.essential = essential
        self.process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self.restart_at = 0.0
        self.ready = False
        self._command = command
        self._announces = any(READY in argument for argument in command)
        self._reader = self._writer = -1
        self._working_since = 0.0
        self._has_worked = False
        self._was_steady = True
        self._failed_starts = 0
        self._pauses = Backoff(FIRST_PAUSE, LAST_PAUSE)

    @property
    def pid(self) -> int:
        """Number of its process; 0 where there is none, or none is known yet."""
        return self.process.pid if self.process else 0

    @property
    def starting(self) -> bool:
        """It does not work yet, and may at any moment."""
        return self.process is not None and not (self.ready and self.pid)

    def prepare(self) -> tuple[Sequence[str], tuple[int, ...]]:
        """Return the command that is to be started now, and the descriptors that it inherits: at most one."""
        self.forget()
        if not self._announces:
            return self._command, ()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        return self._command, (self._writer,)

    def started(self) -> None:
        """Note that it was started, or that this failed."""
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1
        self.ready = not self._announces
        self._working_since = time.monotonic()

    def look(self) -> None:
        """Notice when it works."""
        if self.ready or self._reader < 0:
            return
        with contextlib.suppress(BlockingIOError):
            if os.read(self._reader, 1):
                self.ready = self._has_worked = True
                self._failed_starts = 0
                self._working_since = time.monotonic()
            os.close(self._reader)
            self._reader = -1

    def ended(self) -> float:
        """Note its end, and return the seconds until it is to be started again."""
        if not self.ready:
            self._failed_starts += 1
        elif time.monotonic() - self._working_since >= STEADY_AFTER:
            self._pauses.reset()
            self._was_steady = True
        # One that has worked may have been killed by anybody; only one that dies again soon is made to wait.
        at_once = self._has_worked and self._was_steady
        self._was_steady = False
        pause = 0.0 if at_once else self._pauses.failed()
        self.process, self.ready = None, False
        self.restart_at = time.monotonic() + pause
        return pause

    def hopeless(self, cannot_import: bool) -> bool:
        """Return True when it has never worked and will not, as far as one can see."""
        return self._announces and not self._has_worked and (cannot_import or self._failed_starts >= FAILED_STARTS)

    def forget(self) -> None:
        """Close what it was to announce itself by."""
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1


def describe_end(code: int) -> str:
    """Return how a process ended, in words: with an exit code or killed by a signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
