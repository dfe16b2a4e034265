"""The node's answer cache: a picture that was just paid for is not paid for again."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from growbin_jobs.engine.journal.file.opening import open_unchecked, opening
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.sqlite.opening import check_sqlite
from growbin_jobs.engine.threads import offload_to

PUT = """
INSERT OR REPLACE INTO gpt_cache (cache_key, prompt, response, model, created_at, ttl) VALUES (?, ?, ?, ?, ?, ?)
"""

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
        fresh = "SELECT response FROM gpt_cache WHERE cache_key = ? AND created_at + ttl > ?"
        rows = self._run(fresh, key, self._clock())
        return str(rows[0][0]) if rows else None

    def put(self, key: str, *, prompt: str, response: str, model: str) -> None:
        """Keep an answer.

        Parameters:
          key: Of everything that decides the answer (:class:`growbin_jobs.ai.answers.Question`).
          prompt: Its version.
          response: JSON.
          model: Who gave it.
        """
        self._run(PUT, key, prompt, response, model, self._clock(), self._ttl)

    def prune(self) -> int:
        """Delete what has expired.

        Returns:
          How many answers.
        """
        return len(self._run("DELETE FROM gpt_cache WHERE created_at + ttl <= ? RETURNING 1", self._clock()))

    def _run(self, sql: str, *values: str | float) -> list[tuple[Any, ...]]:
        try:
            # One native thread under gevent, so that two of them never wait for the lock.
            rows = offload_to("gpt_cache", 1, self._locked, sql, values)
        except (apsw.Error, OSError):
            self.failures += 1
            if not self._failing:
                self._failing = True
                logger.exception("answer_store.failed file=%s; answers are paid for again", self._path)
            return []
        self._failing = False
        return rows

    def _locked(self, sql: str, values: Sequence[str | float]) -> list[tuple[Any, ...]]:
        lock, connection = self._file()
        with lock:
            return connection.execute(sql, values).fetchall()

    def _open(self) -> tuple[threading.Lock, apsw.Connection]:
        with opening(self._path.parent):
            return threading.Lock(), open_unchecked(self._path)
