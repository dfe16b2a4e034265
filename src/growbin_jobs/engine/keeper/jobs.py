"""The keeper's jobs with the journal: copy, sweep, checkpoint, prune. A result is true where something was done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from growbin_jobs.engine.central.clock import clock_of
from growbin_jobs.engine.central.sync import Copied, Sync
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.journal.file import opening as files
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import prune


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy what has changed to the central database."""

    sync: Sync

    def run_once(self) -> Copied:
        """Copy until nothing is left, or for as long as one run of the sync takes.

        Raises:
          Deferred: The database or the journal is away.
        """
        return self.sync.run_once()


@dataclass(frozen=True, slots=True)
class Sweep:
    """Copy everything that the central database lacks, for whatever reason."""

    sync: Sync

    def run_once(self) -> Copied:
        """Begin with the first change again.

        Raises:
          Deferred: The database or the journal is away.
        """
        return self.sync.sweep()


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """What a checkpoint found.

    Attributes:
      pages: In the write-ahead log.
      copied: Of them, into the database.
    """

    pages: int
    copied: int

    def __bool__(self) -> bool:
        return self.pages > 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Copy the journal's write-ahead log into its database, so that the log stays small."""

    journal: Journal

    def run_once(self) -> Checkpointed:
        """Copy what can be copied without waiting for a reader."""
        return Checkpointed(*files.checkpoint(self.journal.path))


@dataclass(frozen=True, slots=True)
class ForgetControl:
    """Delete what people have told all nodes and what is over."""

    control: Control

    def run_once(self) -> int:
        """Delete it.

        Raises:
          Deferred: The database is away.
        """
        return self.control.prune()


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted.

    Attributes:
      rows: Of the journal, by table; tables of which nothing went are left out. ``pages``: given back to the disk.
      workers: Rows of worker groups.
      central: Rows of the central tables beside ``tasks``, by table.
    """

    rows: dict[str, int]
    workers: int
    central: dict[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rows or self.workers or self.central)


@dataclass(frozen=True, slots=True)
class Prune:
    """Delete what is older than it may be: from the journal, and what the keepers wrote into the central database.

    Attributes:
      retention: How long rows are kept.
      central: Deletes old rows of the central tables beside ``tasks``; gets the time.
      forget_after: Rows of groups that stopped so long ago and left nothing behind are deleted.
      seconds: A run ends after so many, to be continued by the next.
      clock: Seconds since 1970, UTC.
    """

    journal: Journal
    retention: prune.Retention
    workers: Workers
    central: Callable[[datetime], dict[str, int]] = lambda _now: {}
    forget_after: timedelta = timedelta(days=7)
    seconds: float = 600.0
    clock: Callable[[], float] = time.time

    def run_once(self) -> Pruned:
        """Delete in small transactions.

        Raises:
          Deferred: The database or the journal is away.
        """
        now = self.clock()
        rows = prune.prune(self.journal.write, self.retention, now=now, seconds=self.seconds)
        # A clock that is ahead must not delete what all nodes have; what only this one has is its own matter.
        at = datetime.fromtimestamp(min(now, clock_of(self.workers.database)), UTC)
        workers = self.workers.forget(stopped_before=at - self.forget_after)
        return Pruned({table: count for table, count in rows.items() if count}, workers, self.central(at))
