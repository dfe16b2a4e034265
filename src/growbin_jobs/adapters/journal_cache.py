"""What the node's caches share: tables of the journal's file, which may fail without harm."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw

from growbin_jobs.engine.journal.file.opening import open_unchecked, opening
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.sqlite.opening import check_sqlite
from growbin_jobs.engine.sqlite.work import sqlite_work
from growbin_jobs.engine.threads import offload_to

T = TypeVar("T")

logger = logging.getLogger(__name__)


class JournalCache:
    """Runs calls on the journal's file for a cache.

    It is only a cache. When its file is corrupt, full, locked or not writable, a call returns None and the work goes
    on. That is not silent: the first failure of a row of them is logged as an error, and :attr:`failures` counts all.
    The journal in the same file has stricter rules of its own.

    Parameters:
      path: The journal's file.
      failed: The event's name for the log, and what follows from a failure: "answers are paid for again".

    Raises:
      ConfigurationError: If SQLite itself is too old for several writers.
    """

    def __init__(self, path: Path, failed: tuple[str, str]) -> None:
        check_sqlite()
        self.failures = 0
        self._path = path
        self._failed = failed
        self._failing = False
        self._file = once_a_process(self._open)

    def run(self, call: Callable[[apsw.Connection], T]) -> T | None:
        """Return what the call returns, and None where it fails."""
        try:
            # One native thread under gevent, so that two of them never wait for the lock.
            result: T = offload_to("journal_cache", 1, self._locked, call)
        except (apsw.Error, OSError):
            self.failures += 1
            if not self._failing:
                self._failing = True
                event, consequence = self._failed
                logger.exception("%s file=%s; %s", event, self._path, consequence)
            return None
        self._failing = False
        return result

    def _locked(self, call: Callable[[apsw.Connection], T]) -> T:
        with sqlite_work():
            lock, connection = self._file()
            with lock:
                return call(connection)

    def _open(self) -> tuple[threading.Lock, apsw.Connection]:
        with opening(self._path.parent):
            return threading.Lock(), open_unchecked(self._path)
