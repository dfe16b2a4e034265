"""The keeper's care for dead letters in the embedded broker's file, which are copies of the journal's."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters

#: Seconds that a run looks back before the one before it, for what was committed meanwhile.
OVERLAP = 60.0


class Tidy(Protocol):
    """How dead letters are deleted from the broker's file."""

    def __call__(self, dealt_with: Mapping[str, float], *, before: float) -> int:
        """Delete those that were dealt with, and those that died before a time; return how many."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """How many dead letters were deleted."""

    deleted: int

    def __bool__(self) -> bool:
        return self.deleted > 0


@dataclass(slots=True)
class TidyDeadLetters:
    """Delete from the broker's file what people have retried or discarded, and what is older than it may be.

    Attributes:
      tidy: Such as ``EmbeddedBroker.tidy_dead_letters``.
      keep: Seconds that dead letters are kept.
      clock: Seconds since 1970, UTC.
    """

    journal: Journal
    tidy: Tidy
    keep: float
    clock: Callable[[], float] = time.time
    _since: float = field(default=0.0, init=False)

    def run_once(self) -> Tidied:
        """Tidy.

        Raises:
          Deferred, BrokerConnectionError: The journal or the broker's file is away.
        """
        now = self.clock()
        since = self._since
        done = self.journal.read(lambda connection: dead_letters.dealt_with_since(connection, since))
        deleted = self.tidy(done, before=now - self.keep)
        self._since = now - OVERLAP
        return Tidied(deleted)
