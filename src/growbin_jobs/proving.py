"""A proof of this installation: from the settings to what :mod:`growbin_jobs.operations.proofs.whole` needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.operations.proofs.parts import Proof
from growbin_jobs.operations.proofs.whole import Kept, prove
from growbin_jobs.scheduler.retention import KEEP
from growbin_jobs.settings import Settings


def proof_of(settings: Settings, database: Database, since: datetime, until: datetime) -> Proof:
    """Return the proof for a span, computed now.

    Parameters:
      settings: Of this process.
      database: The central one.
      since, until: The span, aware; its end is not part of it.

    Raises:
      ConfigurationError: The span is empty.
      Deferred: The database is away.
    """
    kept = Kept(
        tasks=timedelta(days=settings.keep_tasks_days),
        dead_letters=timedelta(days=settings.keep_dead_letters_days),
        usage=timedelta(days=settings.usage_days),
        due_times=KEEP,
        answers=timedelta(seconds=settings.answer_ttl),
    )
    zone = ZoneInfo(settings.timezone)
    return prove(database, since, until, now=datetime.now(UTC), node=settings.node, zone=zone, kept=kept)
