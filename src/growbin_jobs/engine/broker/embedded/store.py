"""The embedded broker's open file, for the one thread that uses it."""

from __future__ import annotations

import os
from pathlib import Path

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine.broker.embedded.queue import EmbeddedQueue
from growbin_jobs.engine.broker.embedded.schema import create_schema
from growbin_jobs.engine.broker.embedded.wakeups import wake_all
from growbin_jobs.engine.sqlite.committer import Closed
from growbin_jobs.engine.sqlite.opening import BUSY_TIMEOUT, Patience, open_sqlite

#: Seconds to wait for another process's transaction.
PATIENCE = BUSY_TIMEOUT


class QueueUnavailable(BrokerConnectionError):
    """The file cannot be used at the moment. What this process has claimed stays claimed; try again."""


class EmbeddedStore:
    """An open file; see :class:`growbin_jobs.engine.sqlite.transactions.Store`.

    Parameters:
      path: The file; made, with its folder, where it is missing.
      wakeups: Folder of the wakeups to ring after commits.

    Raises:
      ConfigurationError: If SQLite is too old, or the file is not a queue that this version knows.
      OSError, apsw.Error: If it cannot be opened.
    """

    def __init__(self, path: Path, wakeups: Path) -> None:
        self._path = path
        self._wakeups = wakeups
        self.connection = open_sqlite(path)
        try:
            self.connection.set_busy_handler(Patience(PATIENCE).wait)
            self.connection.pragma("fullfsync", True)  # macOS: only this reaches the disk
            create_schema(self.connection)
            self._file = path.stat()
        except BaseException:
            self.connection.close()
            raise
        self.queue = EmbeddedQueue(self.connection)

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
        wake_all(self._wakeups, touched)
