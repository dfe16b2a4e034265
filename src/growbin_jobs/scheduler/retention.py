"""Forgets settled due times after a while. What is forgotten is never due again: planning goes on from where it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.scheduler.registry import Clock
from growbin_jobs.scheduler.rows import OPEN, JobRunRow, LedgerRow, RevisionRow, database_time

#: How long rows are kept: longer than the oldest due time that is run (``effects.OLDEST``).
KEEP: Final = timedelta(days=100)


@dataclass(slots=True)
class Forget:
    """A job of the scheduler's timer.

    Attributes:
      keep: How long rows are kept after their due time. Open ones stay.
    """

    database: Database
    keep: timedelta
    clock: Clock = database_time

    def run_once(self) -> int:
        """Return how many due times were forgotten.

        Raises:
          Deferred: The database is away.
        """

        def work(connection: Any) -> int:
            before = self.clock(connection) - self.keep
            settled = (LedgerRow.due < before) & LedgerRow.state.not_in(OPEN)
            forgotten = LedgerRow.delete().where(settled).execute(connection)
            JobRunRow.delete().where(JobRunRow.due < before).execute(connection)
            RevisionRow.delete().where(RevisionRow.until < before).execute(connection)
            return int(forgotten)

        return self.database.transaction(work)
