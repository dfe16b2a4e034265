"""Copies the write-ahead log of a file into it, in a thread beside those that write: none of them waits for that.

SQLite does it by itself in the commit that makes the log too long, and whoever commits then waits for the disk twice.
"""

from __future__ import annotations

import logging
from _queue import SimpleQueue  # gevent replaces queue.SimpleQueue; between native threads only this one works
from pathlib import Path
from typing import Final

import apsw

from growbin_jobs.engine.file_system import name_for_sqlite
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.sqlite.opening import LOG_PAGES
from growbin_jobs.engine.sqlite.work import sqlite_work
from growbin_jobs.engine.threads import native

logger = logging.getLogger(__name__)

#: Pages from which on a commit copies them itself: the thread cannot keep up, and the log must not fill the disk.
TOO_MANY: Final = 8 * LOG_PAGES


def checkpoint_beside(connection: apsw.Connection, path: Path) -> None:
    """Let the log of a connection's file be copied beside its commits, once it has :data:`LOG_PAGES` pages.

    Parameters:
      connection: With a write-ahead log; its own copying ends.
      path: Of its file.
    """

    def committed(of: apsw.Connection, name: str, pages: int) -> int:
        if pages >= TOO_MANY:
            _copy(of, name)
        elif pages >= LOG_PAGES:
            _copier().ask(path)
        return apsw.SQLITE_OK

    connection.set_wal_hook(committed)


class _Copier:
    """The thread of a process, which starts with the first log that is too long."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[Path] = SimpleQueue()
        self._waiting: set[Path] = set()
        native("_thread", "start_new_thread")(self._run, ())

    def ask(self, path: Path) -> None:
        """Copy the log of a file soon; of threads that ask at the same moment one is enough."""
        if path not in self._waiting:
            self._waiting.add(path)
            self._asked.put(path)

    def _run(self) -> None:
        while True:
            path = self._asked.get()
            try:
                with sqlite_work():
                    connection = apsw.Connection(name_for_sqlite(path), apsw.SQLITE_OPEN_READWRITE)
                    try:
                        connection.execute("SELECT 1 FROM sqlite_schema").fetchall()  # unread, it knows of no log
                        _copy(connection, "main")
                    finally:
                        connection.close()
            except Exception as error:  # deleted meanwhile, a full disk: whoever commits next asks again, or is told
                logger.warning("sqlite.log_not_copied path=%s reason=%s", path, type(error).__name__)
            finally:
                self._waiting.discard(path)


_copier = once_a_process(_Copier)


def _copy(connection: apsw.Connection, name: str) -> None:
    try:
        connection.wal_checkpoint(name, apsw.SQLITE_CHECKPOINT_PASSIVE)
    except (apsw.BusyError, apsw.LockedError):
        return  # another process copies it now
