"""The tables that lose their old rows: how old a row is, and what must be counted before it goes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.platform.measures.periods import KINDS, Kind
from growbin_jobs.platform.tables.facts import ApiCall, Log, Login, Session
from growbin_jobs.platform.tables.health import HealthEvent
from growbin_jobs.platform.tables.slots import StatisticsSlot
from growbin_jobs.platform.tables.statistics import Statistic


@dataclass(frozen=True, slots=True)
class Source:
    """A table that loses its old rows.

    Attributes:
      name: Of the table.
      at: Column that says how old a row is.
      key: Columns of its primary key.
      counted_by: Column that says in which period a row is counted; None: it is not.
      kinds: Periods that must be counted before.
      only: Values that a row must have to be concerned.
      counted_from: Tables whose late facts must be counted before; None: its own.
    """

    name: str
    model: type[peewee.Model]
    at: str
    key: tuple[str, ...]
    counted_by: str | None = None
    kinds: tuple[Kind, ...] = KINDS
    only: tuple[tuple[str, str], ...] = ()
    counted_from: tuple[str, ...] | None = None

    def where(self, before: datetime) -> Any:
        """Return the condition of old rows."""
        condition = getattr(self.model, self.at) < before
        for name, value in self.only:
            condition &= getattr(self.model, name) == value
        return condition


SOURCES: Final[dict[str, Source]] = {
    source.name: source
    for source in (
        Source("logs", Log, "at", ("id", "at")),
        Source("api_calls", ApiCall, "at", ("id", "at"), "at"),
        Source("logins", Login, "at", ("id",), "at"),
        Source("sessions", Session, "ended_at", ("id",), "started_at"),
        Source("health_events", HealthEvent, "at", ("id",)),
        Source("tasks", TaskRow, "completed_at", ("task_id",)),  # those that have not ended have no such time
        Source(
            "statistics_slots", StatisticsSlot, "slot_at", ("slot_at", "source", "model", "bucket"), "slot_at",
            counted_from=("api_calls", "sessions"),
        ),
        Source(
            "statistics", Statistic, "since", ("kind", "period", "zone"), "since", ("monthly",), (("kind", "daily"),),
            counted_from=("api_calls", "sessions", "logins", "users"),
        ),
    )
}  # fmt: skip
