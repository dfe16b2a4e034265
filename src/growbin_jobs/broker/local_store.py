"""The embedded broker's file as its one thread sees it, and what may be wrong with it in a person's words."""

from __future__ import annotations

import os
from pathlib import Path

import apsw
from dramatiq.errors import BrokerConnectionError

from growbin_jobs.broker.bells import ring_all
from growbin_jobs.broker.committer import Closed
from growbin_jobs.broker.local_queue import LocalQueue, create_schema
from growbin_jobs.journal.sqlite import open_database

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
