"""Forgets settled due times after a while. What is forgotten is never due again: planning goes on from where it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import stored_moment
from growbin_jobs.engine.central.forgetting import OldRows, forget
from growbin_jobs.scheduler.registry import Clock
from growbin_jobs.scheduler.rows import OPEN, database_time

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
        """Delete in batches, and return how many due times were forgotten.

        Raises:
          Deferred: The database is away.
        """
        deleted = forget(self.database, self.old_rows(self.database.run(self.clock)))
        return deleted.get("schedule_ledger", 0)

    def old_rows(self, now: datetime) -> list[OldRows]:
        """Return what is to be deleted at a time."""
        before = stored_moment(now - self.keep)
        still_open = ", ".join(f"'{state.value}'" for state in OPEN)
        return [
            OldRows("schedule_ledger", ("job", "due"), f"due < ? AND state NOT IN ({still_open})", (before,)),
            OldRows("job_run", ("job", "due"), "due < ?", (before,)),
            OldRows("schedule_revision", ("job", "number"), "until < ?", (before,)),
        ]
