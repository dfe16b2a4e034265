"""The lifetime of a keeper: it serves as long as the workers that it belongs to, also when it is told to stop."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path
from select import poll
from typing import Any

from growbin_jobs.engine.node.presence import present
from growbin_jobs.engine.node.repeated_signals import Once

#: Seconds between two looks whether a lifetime is over: before anybody has told it to stop, and after that.
LOOK, LAST_LOOK = 1.0, 0.2

#: After this many stop signals the keeper exits without finishing: the first one, the one that dramatiq sends when its
#: workers are gone, and one from somebody who does not want to wait.
ENOUGH = 3


class KeeperLifetime:
    """The lifetime of one keeper.

    Parameters:
      folder: Of the node.
      master: Process number of the ``dramatiq`` that it belongs to; None where it belongs to none.
    """

    def __init__(self, folder: Path, master: int | None) -> None:
        self._folder = folder
        self._master = master
        self._watched = _watch(master) if master is not None else None
        self._signals = 0
        self._once = Once()
        self._awaited: set[str] | None = None
        self._wake = threading.Event()

    def listen(self) -> None:
        """Count signals from now on. Ctrl-C is for dramatiq, which tells its children by itself."""
        signal.signal(signal.SIGINT, self._tell if self._master is None else signal.SIG_IGN)
        for signum in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._tell)

    def wait(self) -> None:
        """Wait until the next look, or until a signal comes."""
        self._wake.wait(LAST_LOOK if self._signals or self._awaited is not None else LOOK)
        self._wake.clear()

    def wake(self) -> None:
        """End a wait."""
        self._wake.set()

    @property
    def hurried(self) -> bool:
        """True when it was told to stop by somebody who does not want to wait."""
        return self._signals >= ENOUGH

    def is_over(self) -> bool:
        """Return True once it was told to stop, or its dramatiq is gone, and its workers are gone too."""
        if not (self._signals or self._master_is_gone()):
            return False
        living = present(self._folder)
        if self._awaited is None:
            # dramatiq that reloads has new workers soon, of the same process number; those have a keeper of their own.
            self._awaited = {name for name, process in living.items() if process and process.master == self._master}
        return not self._awaited & living.keys()

    def others_work(self) -> bool:
        """Return True while workers live on this node that this keeper does not wait for."""
        return bool(present(self._folder).keys() - (self._awaited or set()))

    def _tell(self, _signum: int, _frame: Any) -> None:
        self._signals += self._once.counts()
        self._wake.set()

    def _master_is_gone(self) -> bool:
        if self._master is None:
            return False
        if self._watched is not None:
            waiter = poll()
            waiter.register(self._watched)
            return bool(waiter.poll(0))
        try:
            os.kill(self._master, 0)
        except ProcessLookupError:
            return True
        return False


def _watch(pid: int) -> int | None:
    """Return a descriptor that becomes readable when a process ends, where there is such a thing (Linux)."""
    with suppress(AttributeError, OSError):
        return os.pidfd_open(pid)
    return None
