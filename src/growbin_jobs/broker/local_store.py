"""The embedded broker's file as its one thread sees it, and what may be wrong with it in a person's words."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import apsw
from dramatiq.errors import BrokerConnectionError

from growbin_jobs.broker.bells import ring_all
from growbin_jobs.broker.committer import Closed
from growbin_jobs.broker.local_queue import LocalQueue
from growbin_jobs.broker.local_schema import create_schema
from growbin_jobs.broker.native import native
from growbin_jobs.journal.sqlite import BUSY_TIMEOUT, open_database

#: Seconds to wait for another process's transaction.
PATIENCE = BUSY_TIMEOUT

_REMEDIES: dict[type[Exception], str] = {
    apsw.FullError: "the disk is full; free some space, then it goes on by itself",
    apsw.BusyError: "another process has held its lock for too long; look for one that is stopped in mid-write",
    apsw.CantOpenError: "it cannot be opened; its folder must be on a local disk and writable",
    apsw.ReadOnlyError: "it cannot be written; check the permissions of the file and its folder",
    apsw.NotADBError: "it is not a SQLite file; choose another path or move it away",
    apsw.CorruptError: "it is damaged; stop all workers and move it away together with its -wal and -shm files",
}


class QueueUnavailable(BrokerConnectionError):
    """The file cannot be used at the moment. What this process has claimed stays claimed; try again."""


def explain(error: Exception) -> str:
    """Return what is wrong with the file, and what to do."""
    return _REMEDIES.get(type(error)) or f"{type(error).__name__}: {error}"


class _Patience:
    """Waits for another process's transaction in short steps.

    SQLite's own wait grows to 100 ms a step: whoever waits longest asks least often. With steps of 0.5 to 3 ms the
    slowest of 4,000 sends from 4 processes took about 55 ms instead of 250, at a higher rate.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = 0.0
        self._sleep = native("time", "sleep")

    def wait(self, waits_before: int) -> bool:
        """Sleep and return True, or return False when it has taken too long."""
        now = time.monotonic()
        if waits_before == 0:
            self._end = now + self._seconds
        if now >= self._end:
            return False
        step = random.uniform(0.0005, 0.003)  # noqa: S311 no secret
        self._sleep(step if waits_before < 500 else 10 * step)
        return True


class LocalStore:
    """An open file; see :class:`growbin_jobs.broker.committer.Store`.

    Parameters:
      path: The file; made, with its folder, where it is missing.
      bells: Folder of the bells to ring after commits.

    Raises:
      ConfigurationError: If SQLite is too old, or the file is not a queue that this version knows.
      OSError, apsw.Error: If it cannot be opened.
    """

    def __init__(self, path: Path, bells: Path) -> None:
        self._path = path
        self._bells = bells
        self.connection = open_database(path)
        try:
            self.connection.set_busy_handler(_Patience(PATIENCE).wait)
            self.connection.pragma("fullfsync", True)  # macOS: only this reaches the disk
            create_schema(self.connection)
            self._file = path.stat()
        except BaseException:
            self.connection.close()
            raise
        self.queue = LocalQueue(self.connection)

    def check(self) -> None:
        """Refuse to go on with a file that other processes can no longer see.

        Raises:
          Closed: If it was moved or removed.
        """
        try:
            if os.path.samestat(self._file, self._path.stat()):
                return
        except FileNotFoundError:
            pass
        raise Closed("its file was moved or removed")

    def committed(self) -> None:
        """Wake the consumers that wait for what was committed."""
        touched, self.queue.touched = self.queue.touched, set()
        ring_all(self._bells, touched)
