"""What observes Growbin's own workers and keepers: metrics and health, and the schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from growbin_jobs.engine.observers import Observer
from growbin_jobs.metrics.observing import Metrics
from growbin_jobs.scheduler.known_messages import KnownMessages

if TYPE_CHECKING:
    from growbin_jobs.metrics.cached import Source


def observers() -> tuple[Observer, ...]:
    """Return the observers of Growbin's engine."""
    return (Metrics(_schedule_overdue), KnownMessages(_fired))


def _fired() -> set[str]:
    from growbin_jobs.scheduler.table import ONCE  # producers have the observer too, and need none of it

    return {job.name for job in ONCE}


def _schedule_overdue(_config: Any, keeper: Any) -> Source:
    """Return what shows on every node since when the schedule waits: also where no scheduler lives."""
    from growbin_jobs.metrics import shown
    from growbin_jobs.metrics.cached import Source
    from growbin_jobs.metrics.exposition import Reading
    from growbin_jobs.scheduler.presence import overdue_seconds

    return Source(
        "schedule", lambda: [Reading(shown.SCHEDULE_OVERDUE, (), overdue_seconds(keeper.database))], every=15.0
    )
