"""Brings the central database to this version's schema, where nobody else would do it."""

from __future__ import annotations

from dataclasses import dataclass, field

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.upgrade import Schema, upgrade


@dataclass(slots=True)
class SchemaUpgrade:
    """Once it has succeeded it does nothing more.

    Attributes:
      database: Which one.
      schema: Packages whose migrations it gets.
    """

    database: Database
    schema: Schema
    _done: bool = field(default=False, init=False)

    def any(self) -> bool:
        """Return whether it has anything to do; see :class:`growbin_jobs.engine.periodic.timetable.Changes`."""
        return not self._done

    def forget(self) -> None:
        """Nothing: only success ends it."""

    def run_once(self) -> list[str]:
        """Return the names of the migrations that were applied.

        Raises:
          Deferred: When the database is away.
          ConfigurationError: When it can never be opened.
        """
        applied = [] if self._done else upgrade(self.database, self.schema)
        self._done = True
        return applied
