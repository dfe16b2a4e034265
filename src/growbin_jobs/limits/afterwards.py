"""Writes what a paid call leaves behind, in a thread of its own: its caller has the answer meanwhile.

What is left when a process is killed is as if the caller had been killed: reservations become unknown by their lease.
"""

import atexit
import logging
import threading
from collections.abc import Callable
from queue import Queue
from typing import Final

from growbin_jobs.engine.processes import once_a_process

logger = logging.getLogger(__name__)

#: Seconds that somebody waits for it; a database that is away is not waited for longer.
LONGEST: Final = 5.0

Work = Callable[[], object]


class _Afterwards:
    def __init__(self) -> None:
        self._waiting: Queue[Work] = Queue()
        threading.Thread(target=self._run, name="paid-calls", daemon=True).start()
        atexit.register(self.wait)

    @property
    def is_busy(self) -> bool:
        return self._waiting.unfinished_tasks > 0

    def do(self, work: Work) -> None:
        self._waiting.put(work)

    def wait(self, seconds: float = LONGEST) -> bool:
        reached = threading.Event()
        self.do(reached.set)
        return reached.wait(seconds)

    def _run(self) -> None:
        while True:
            work = self._waiting.get()
            try:
                work()
            except Exception:
                logger.exception("limits.not_written")
            finally:
                self._waiting.task_done()


_afterwards = once_a_process(_Afterwards)


def do(work: Work) -> None:
    """Do a piece of work soon, after those that were given before; its errors are logged."""
    _afterwards().do(work)


def wait(seconds: float = LONGEST) -> bool:
    """Wait until all that was given before is done, and return whether it is."""
    return _afterwards().wait(seconds)


def wait_if_busy() -> bool:
    """Wait as :func:`wait` does; return False where there was nothing to wait for."""
    return _afterwards().is_busy and wait()


def at_once(work: Work) -> None:
    """Do a piece of work now: where nobody is to go on meanwhile."""
    work()
