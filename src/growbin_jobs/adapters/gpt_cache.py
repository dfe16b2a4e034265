"""The node's cache of model answers: the same picture is not paid for again."""

import time
from collections.abc import Callable
from pathlib import Path

from growbin_jobs.adapters.journal_cache import JournalCache
from growbin_jobs.engine.journal.tables import gpt_cache as table


class GptCache:
    """Answers in the table ``gpt_cache`` of the node's journal, shared by its worker processes.

    It is only a cache (:class:`~growbin_jobs.adapters.journal_cache.JournalCache`): where it fails, :meth:`get` finds
    nothing and :meth:`put` keeps nothing; answers go on being given, and cost more.

    Parameters:
      path: The journal's file.
      ttl: Seconds that an answer is kept.
      clock: Seconds since 1970, UTC.

    Raises:
      ConfigurationError: If SQLite itself is too old for several writers.
    """

    def __init__(self, path: Path, ttl: float = 3600.0, *, clock: Callable[[], float] = time.time) -> None:
        self._file = JournalCache(path, ("answer_store.failed", "answers are paid for again"))
        self._ttl = ttl
        self._clock = clock

    @property
    def failures(self) -> int:
        """How many calls have failed."""
        return self._file.failures

    def get(self, key: str) -> str | None:
        """Return the answer's JSON while it is fresh, else None."""
        return self._file.run(lambda connection: table.get(connection, key, now=self._clock()))

    def put(self, key: str, *, prompt: str, response: str, model: str) -> None:
        """Keep an answer.

        Parameters:
          key: Of everything that decides the answer (:class:`growbin_jobs.ai.answers.Question`).
          prompt: Its version.
          response: JSON.
          model: Who gave it.
        """
        now = self._clock()
        self._file.run(lambda connection: table.put(connection, key, prompt, response, model, now=now, ttl=self._ttl))

    def prune(self) -> int:
        """Delete what has expired.

        Returns:
          How many answers.
        """
        return self._file.run(lambda connection: table.delete_expired(connection, now=self._clock())) or 0
