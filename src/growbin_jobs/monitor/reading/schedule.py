"""The schedule for one request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from growbin_jobs.monitor.services import Services
from growbin_jobs.scheduler.overview import JobView, Outcome, Overview, preview
from growbin_jobs.scheduler.presence import Firing, firing


def zone_of(services: Services) -> ZoneInfo:
    """Return the zone of the schedule and the ledgers."""
    return ZoneInfo(services.engine.timezone)


def jobs_of(services: Services) -> list[JobView]:
    """Return all periodic jobs.

    Raises:
      Deferred: The database is away.
    """
    return Overview(services.database, services.jobs, zone_of(services)).jobs()


def firing_of(services: Services) -> Firing:
    """Return which schedulers live, and since when something waits for them.

    Raises:
      Deferred: The database is away.
    """
    return firing(services.database)


def ledger_of(services: Services, job: str | None, limit: int) -> list[Outcome]:
    """Return what became of the latest due times, the newest first.

    Raises:
      Deferred: The database is away.
    """
    return Overview(services.database, services.jobs, zone_of(services)).history(job, limit=limit)


def to_come(services: Services, hours: float = 24) -> list[tuple[datetime, str]]:
    """Return the due times to come."""
    now = datetime.now(UTC)
    return list(preview(services.jobs, zone_of(services), now, now + timedelta(hours=hours)))
