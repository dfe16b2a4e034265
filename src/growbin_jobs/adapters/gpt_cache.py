"""The node's cache of model answers: the same picture is not paid for again."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import apsw

from growbin_jobs.engine.journal.file.opening import open_unchecked, opening
from growbin_jobs.engine.journal.tables import gpt_cache as table
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.sqlite.opening import check_sqlite
from growbin_jobs.engine.sqlite.work import sqlite_work
from growbin_jobs.engine.threads import offload_to

T = TypeVar("T")

logger = logging.getLogger(__name__)


class GptCache:
    """Answers in the table ``gpt_cache`` of the node's journal, shared by its worker processes.

    It is only a cache. When its file is corrupt, full, locked or not writable, :meth:`get` finds nothing and
    :meth:`put` keeps nothing: answers go on being given, and cost more. That is not silent: the first failure of a
    row of them is logged as an error, and :attr:`failures` counts all. The journal in the same file has stricter
    rules of its own.

    Parameters:
      path: The journal's file.
      ttl: Seconds that an answer is kept.
      clock: Seconds since 1970, UTC.

    Raises:
      ConfigurationError: If SQLite itself is too old for several writers.
    """

    def __init__(self, path: Path, ttl: float = 3600.0, *, clock: Callable[[], float] = time.time) -> None:
        check_sqlite()
        self.failures = 0
        self._path = path
        self._ttl = ttl
        self._clock = clock
        self._failing = False
        self._file = once_a_process(self._open)

    def get(self, key: str) -> str | None:
        """Return the answer's JSON while it is fresh, else None."""
        return self._run(lambda connection: table.get(connection, key, now=self._clock()))

    def put(self, key: str, *, prompt: str, response: str, model: str) -> None:
        """Keep an answer.

        Parameters:
          key: Of everything that decides the answer (:class:`growbin_jobs.ai.answers.Question`).
          prompt: Its version.
          response: JSON.
          model: Who gave it.
        """
        now = self._clock()
        self._run(lambda connection: table.put(connection, key, prompt, response, model, now=now, ttl=self._ttl))

    def prune(self) -> int:
        """Delete what has expired.

        Returns:
          How many answers.
        """
        return self._run(lambda connection: table.delete_expired(connection, now=self._clock())) or 0

    def _run(self, call: Callable[[apsw.Connection], T]) -> T | None:
        try:
            # One native thread under gevent, so that two of them never wait for the lock.
            result: T = offload_to("gpt_cache", 1, self._locked, call)
        except (apsw.Error, OSError):
            self.failures += 1
            if not self._failing:
                self._failing = True
                logger.exception("answer_store.failed file=%s; answers are paid for again", self._path)
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
