"""Health, statistics, reports and archives for one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from growbin_jobs.models.weekly_report import WeeklyReport, WeeklyReports
from growbin_jobs.monitor.reading.schedule import zone_of
from growbin_jobs.monitor.services import Services
from growbin_jobs.platform.measures.periods import Kind
from growbin_jobs.platform.tables.archives import Archives
from growbin_jobs.platform.tables.health import HealthTable
from growbin_jobs.platform.tables.statistics import StatisticsTable

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthAnswer:
    """What is known of an agent (``agent:ID``) or a model (``model:ID``)."""

    target: str
    state: str
    since: datetime
    reason: str | None
    failures: int
    checked_at: datetime | None
    latency_ms: int | None
    tls_expires_at: datetime | None
    recent: list[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChange:
    """A change of state; ``alert``: 1 where people were told."""

    id: str
    target: str
    at: datetime
    before: str
    after: str
    reason: str | None
    alert: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticAnswer:
    """A day, week or month; ``llm_usage.cost`` is in micro-dollars; ``stale`` is 1 until it is counted anew."""

    kind: str
    period: str
    zone: str
    since: datetime
    until: datetime
    total_users: int
    active_users: int
    total_agents: int
    production_agents: int
    total_sessions: int
    total_api_calls: int
    failed_api_calls: int
    llm_usage: dict[str, Any]
    latency: dict[str, Any]
    stale: int
    revision: int
    computed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveAnswer:
    """Rows that left the database; ``proven``: 1 where the last drill could restore them, 0 where it could not."""

    id: str
    source: str
    object_key: str
    first_at: datetime
    last_at: datetime
    row_count: int
    size: int
    sha256: str
    state: str
    created_at: datetime
    deleted_at: datetime | None
    proven_at: datetime | None
    proven: int | None
    restored_at: datetime | None


def health_of(services: Services) -> list[HealthAnswer]:
    """Return the states of all targets, by name.

    Raises:
      Deferred: The database is away.
    """
    return _as(HealthAnswer, HealthTable(services.database).states())


def changes_of(services: Services, target: str | None, limit: int) -> list[HealthChange]:
    """Return changes of health, the newest first.

    Raises:
      Deferred: The database is away.
    """
    return _as(HealthChange, HealthTable(services.database).events(target, limit=limit))


def statistics_of(services: Services, kind: Kind, limit: int) -> list[StatisticAnswer]:
    """Return statistics, the newest first.

    Raises:
      Deferred: The database is away.
    """
    rows = StatisticsTable(services.database).latest(kind, limit, zone=zone_of(services).key)
    return _as(StatisticAnswer, rows)


def archives_of(services: Services) -> list[ArchiveAnswer]:
    """Return all archives, the oldest rows of each source first.

    Raises:
      Deferred: The database is away.
    """
    return _as(ArchiveAnswer, Archives(services.database).all())


def reports_of(services: Services) -> Sequence[WeeklyReport]:
    """Return the weekly reports, the newest first.

    Raises:
      Deferred: The database is away.
    """
    return WeeklyReports(services.database, zone_of(services)).all()


def _as(kind: type[T], rows: Sequence[Mapping[str, Any]]) -> list[T]:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return [kind(**{name: row[name] for name in names}) for row in rows]
