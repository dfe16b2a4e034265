"""The keeper's job that deletes rows of the audit after their time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from growbin_jobs.engine.central.clock import time_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.models.audit import Audit


@dataclass(frozen=True, slots=True)
class KeepAudit:
    """A periodic job. The keepers of all nodes do it; what another one has done is fine.

    Attributes:
      database: Returns the central one.
      days: That rows are kept.
    """

    database: Callable[[], Database]
    days: float

    def run_once(self) -> dict[str, int]:
        """Delete what is old, and return how many rows."""
        database = self.database()
        deleted = Audit(database).prune(time_of(database) - timedelta(days=self.days))
        return {"deleted": deleted} if deleted else {}
